//! tower's timeout and retry round the connector of a client.

use std::future::{Ready, ready};
use std::mem;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, Uri};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tower::ServiceBuilder;
use tower::retry::Policy;
use tower::util::BoxCloneSyncService;

/// A connect that fails is tried once more.
#[derive(Clone)]
struct OnceMore {
    left: bool,
}

impl<T, E> Policy<Uri, T, E> for OnceMore {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Uri, result: &mut Result<T, E>) -> Option<Ready<()>> {
        (result.is_err() && mem::take(&mut self.left)).then(|| ready(()))
    }

    fn clone_request(&mut self, uri: &Uri) -> Option<Uri> {
        Some(uri.clone())
    }
}

pub async fn get(resolver: outrace::Resolver, uri: Uri) -> crate::Result<Response<Incoming>> {
    let connector = ServiceBuilder::new()
        .retry(OnceMore { left: true })
        .timeout(Duration::from_secs(10))
        .service(outrace::Connector::with_resolver(resolver));
    // The client wants a future that is `Unpin`, which those of these layers are not.
    let connector = BoxCloneSyncService::new(connector);
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(connector);
    Ok(client.get(uri).await?)
}
