//! tokio-postgres over a stream, to a server that speaks as much of the protocol as a query needs.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_postgres::SimpleQueryMessage;

use super::{HOST, Host, listen};

/// A message: its type, its length, its body.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(4 + body.len()).unwrap();
    [&[kind][..], &len.to_be_bytes(), body].concat()
}

/// A row of one column, a text.
fn row(value: &str) -> Vec<u8> {
    let len = u32::try_from(value.len()).unwrap();
    [&1_u16.to_be_bytes(), &len.to_be_bytes()[..], value.as_bytes()].concat()
}

/// Lets in every user, and answers every simple query with one row: the query.
async fn serve_connection(mut stream: TcpStream) -> std::io::Result<()> {
    let ready = message(b'Z', b"I");
    let startup = stream.read_u32().await?;
    stream.read_exact(&mut vec![0; startup as usize - 4]).await?;
    stream.write_all(&[message(b'R', &[0; 4]), ready.clone()].concat()).await?;
    while stream.read_u8().await? == b'Q' {
        let mut query = vec![0; stream.read_u32().await? as usize - 4];
        stream.read_exact(&mut query).await?;
        let query = str::from_utf8(query.strip_suffix(b"\0").unwrap()).unwrap();
        // One column: a name, and of its table and type (OID 25 is text) 18 bytes.
        let column = b"\0\x01query\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0";
        let reply = [
            message(b'T', column),
            message(b'D', &row(query)),
            message(b'C', b"SELECT 1\0"),
            ready.clone(),
        ];
        stream.write_all(&reply.concat()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn tokio_postgres_queries_over_a_stream() {
    let host = Host::new();
    let (listener, addr) = listen().await;
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        serve_connection(stream).await
    });
    let url = format!("postgres://reader@{HOST}:{}/library", addr.port());
    let client = outrace_clients::postgres::connect(&host.resolver, &url).await.unwrap();
    let replies = client.simple_query("SELECT title FROM books").await.unwrap();
    let rows = replies.iter().filter_map(|reply| match reply {
        SimpleQueryMessage::Row(row) => row.get("query"),
        _ => None,
    });
    assert_eq!(rows.collect::<Vec<_>>(), ["SELECT title FROM books"]);
    host.assert_asked();
}
