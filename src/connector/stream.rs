//! [`RacedStream`]: a `TcpStream` with the record of its race.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::happy_eyeballs::ConnectInfo;

/// A TCP connection with the [`ConnectInfo`] of the race it won.
#[derive(Debug)]
pub struct RacedStream {
    stream: TcpStream,
    info: ConnectInfo,
}

impl RacedStream {
    pub(super) fn new(stream: TcpStream, info: ConnectInfo) -> Self {
        Self { stream, info }
    }

    /// The connection.
    pub fn get_ref(&self) -> &TcpStream {
        &self.stream
    }

    /// The record of its race.
    pub fn info(&self) -> &ConnectInfo {
        &self.info
    }

    /// The connection and the record of its race.
    pub fn into_parts(self) -> (TcpStream, ConnectInfo) {
        (self.stream, self.info)
    }
}

impl Connection for RacedStream {
    /// hyper-util's `HttpInfo`, as for any `TcpStream`, and the [`ConnectInfo`].
    fn connected(&self) -> Connected {
        self.stream.connected().extra(self.info.clone())
    }
}

impl AsyncRead for RacedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for RacedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
