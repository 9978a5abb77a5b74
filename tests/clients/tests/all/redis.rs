//! redis over a stream and through its resolver trait, to a server that knows one command.

use std::io;

use redis::aio::MultiplexedConnection;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{HOST, Host, listen};

/// The number in a line of RESP, behind the byte that is its type.
async fn number(stream: &mut BufReader<TcpStream>) -> io::Result<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let digits = line.trim_end().get(1..).and_then(|digits| digits.parse().ok());
    digits.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// A command is an array of strings: `*2`, then `$3`, `GET`, `$4`, `book`, a line each.
async fn command(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<String>> {
    let mut words = Vec::new();
    for _ in 0..number(stream).await? {
        let mut word = vec![0; number(stream).await? + 2];
        stream.read_exact(&mut word).await?;
        words.push(String::from_utf8(word).unwrap().trim_end().to_owned());
    }
    Ok(words)
}

/// Has a value for every key, and agrees to all other commands. Gives its port.
async fn serve() -> u16 {
    let (listener, addr) = listen().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                while let Ok(words) = command(&mut stream).await {
                    let reply = match &words[..] {
                        [name, key] if name == "GET" => format!("+the {key}\r\n"),
                        _ => "+OK\r\n".to_owned(),
                    };
                    stream.write_all(reply.as_bytes()).await.unwrap();
                }
            });
        }
    });
    addr.port()
}

async fn get(mut connection: MultiplexedConnection, key: &str) -> String {
    redis::cmd("GET").arg(key).query_async(&mut connection).await.unwrap()
}

#[tokio::test]
async fn redis_asks_through_its_resolver_trait() {
    let host = Host::new();
    let url = format!("redis://{HOST}:{}", serve().await);
    let connection = outrace_clients::redis_dns::connect(host.resolver.clone(), &url).await;
    assert_eq!(get(connection.unwrap(), "book").await, "the book");
    host.assert_asked();

    let gone =
        outrace_clients::redis_dns::connect(host.resolver, "redis://gone.example.test").await;
    let error = gone.unwrap_err();
    assert!(error.is_io_error() && error.to_string().contains("gone.example.test"), "{error}");
}

#[tokio::test]
async fn redis_speaks_over_a_stream() {
    let host = Host::new();
    let target = (HOST, serve().await);
    let connection = outrace_clients::redis_stream::connect(&host.resolver, target).await;
    assert_eq!(get(connection.unwrap(), "book").await, "the book");
    host.assert_asked();
}
