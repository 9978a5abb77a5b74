//! reqwest 0.13: takes a resolver, and no connector.

pub async fn get(resolver: outrace::Resolver, url: &str) -> reqwest::Result<String> {
    let client = reqwest::Client::builder().dns_resolver(resolver).build()?;
    client.get(url).send().await?.text().await
}
