//! tokio-tungstenite over a connection of a race.

use std::error::Error;

use futures_util::{SinkExt, StreamExt};
use outrace::Resolver;
use outrace::happy_eyeballs::{ConnectOptions, connect_with};
use tokio_tungstenite::client_async;

pub(super) async fn echo(
    resolver: &Resolver,
    host: &str,
    port: u16,
    text: &str,
) -> Result<String, Box<dyn Error>> {
    let (tcp, _) = connect_with((host, port), resolver, &ConnectOptions::default()).await?;
    let (mut socket, _) = client_async(format!("ws://{host}:{port}/"), tcp).await?;
    socket.send(text.into()).await?;
    let echo = socket.next().await.ok_or("closed")??;
    Ok(echo.into_text()?.to_string())
}
