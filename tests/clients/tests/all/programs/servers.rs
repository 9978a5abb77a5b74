//! Servers that know as much of their protocol as a program here asks.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, Endpoint, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::listen;

/// Serves each connection until the runtime ends. Gives the port.
async fn serve<F>(talk: impl Fn(TcpStream) -> F + Send + 'static) -> u16
where
    F: Future<Output = Option<()>> + Send + 'static,
{
    let (listener, addr) = listen().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(talk(stream));
        }
    });
    addr.port()
}

pub(super) async fn websocket() -> u16 {
    serve(|stream| async {
        let mut socket = tokio_tungstenite::accept_async(stream).await.ok()?;
        let message = socket.next().await?.ok()?;
        socket.send(message).await.ok()
    })
    .await
}

/// One row of one column for the first query (PostgreSQL's protocol 3.0).
pub(super) async fn postgres() -> u16 {
    serve(|mut stream| async move {
        let length = stream.read_u32().await.ok()?;
        let mut startup = vec![0; length as usize - 4];
        stream.read_exact(&mut startup).await.ok()?;
        let message = |kind: u8, body: &[u8]| {
            let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
            [&[kind], &length[..], body].concat()
        };
        let ready = message(b'Z', b"I");
        let welcome = [message(b'R', &[0; 4]), ready.clone()].concat();
        stream.write_all(&welcome).await.ok()?;
        assert_eq!(stream.read_u8().await.ok()?, b'Q');
        let length = stream.read_u32().await.ok()?;
        let mut query = vec![0; length as usize - 4];
        stream.read_exact(&mut query).await.ok()?;
        // Name, table, column, type `text`, its size, modifier, format.
        let column = [b"v\0", &[0; 6][..], &25_u32.to_be_bytes(), &[255; 6], &[0; 2]].concat();
        let description = [&1_u16.to_be_bytes(), &column[..]].concat();
        let row = [&1_u16.to_be_bytes(), &4_u32.to_be_bytes()[..], b"17.0"].concat();
        let answer =
            [message(b'T', &description), message(b'D', &row), message(b'C', b"SHOW\0"), ready];
        stream.write_all(&answer.concat()).await.ok()?;
        // Until the client leaves.
        stream.read_to_end(&mut Vec::new()).await.ok().map(drop)
    })
    .await
}

/// `PONG` for `PING`, and `OK` for every other command, of which each is an array (RESP2).
pub(super) async fn redis() -> u16 {
    serve(|mut stream| async move {
        let mut buf = vec![0; 4096];
        loop {
            let count = stream.read(&mut buf).await.ok().filter(|&count| count > 0)?;
            let text = String::from_utf8_lossy(&buf[..count]).into_owned();
            for command in text.split('*').skip(1) {
                let reply = if command.contains("PING") { "+PONG\r\n" } else { "+OK\r\n" };
                stream.write_all(reply.as_bytes()).await.ok()?;
            }
        }
    })
    .await
}

/// Echoes each stream. Gives the port, and a client that trusts it.
pub(super) fn quic(client: rustls::ClientConfig, server: rustls::ServerConfig) -> (u16, Endpoint) {
    let (mut client, mut server) = (client, server);
    client.alpn_protocols = vec![b"echo".to_vec()];
    server.alpn_protocols = vec![b"echo".to_vec()];
    let server = QuicServerConfig::try_from(server).unwrap();
    let server = ServerConfig::with_crypto(Arc::new(server));
    let endpoint = Endpoint::server(server, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let port = endpoint.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Some(incoming) = endpoint.accept().await {
            tokio::spawn(async move {
                let connection = incoming.await.ok()?;
                while let Ok((mut send, mut receive)) = connection.accept_bi().await {
                    let text = receive.read_to_end(1024).await.ok()?;
                    send.write_all(&text).await.ok()?;
                    send.finish().ok()?;
                }
                Some(())
            });
        }
    });
    let any: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    let mut quic = Endpoint::client(any).unwrap();
    let client = QuicClientConfig::try_from(client).unwrap();
    quic.set_default_client_config(ClientConfig::new(Arc::new(client)));
    (port, quic)
}
