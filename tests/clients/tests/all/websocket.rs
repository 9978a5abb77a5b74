//! tokio-tungstenite over a stream.

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::accept_async;

use super::{HOST, Host, listen};

#[tokio::test]
async fn tungstenite_speaks_over_a_stream() {
    let host = Host::new();
    let (listener, addr) = listen().await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = accept_async(stream).await.unwrap();
        let message = socket.next().await.unwrap().unwrap();
        socket.send(message).await.unwrap();
        // Until the client has left.
        while socket.next().await.is_some() {}
    });
    let target = (HOST, addr.port());
    let echo = outrace_clients::tungstenite::say(&host.resolver, target, "hello").await;
    assert_eq!(echo.unwrap(), "hello");
    server.await.unwrap();
    host.assert_asked();
}
