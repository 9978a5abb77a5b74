//! tokio-tungstenite: takes a stream.

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

/// Says `text`, and returns what the server says.
pub async fn say(
    resolver: &outrace::Resolver,
    (host, port): (&str, u16),
    text: &str,
) -> crate::Result<String> {
    let options = outrace::ConnectOptions::default();
    let connecting = outrace::happy_eyeballs::connect_with((host, port), resolver, &options);
    let (stream, _) = connecting.await?;
    let (mut socket, _) = client_async(format!("ws://{host}:{port}/"), stream).await?;
    socket.send(Message::text(text)).await?;
    let reply = socket.next().await.ok_or("the server has left")??;
    socket.close(None).await?;
    Ok(reply.into_text()?.to_string())
}
