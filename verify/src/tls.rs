//! The way to the API: certificate, versions of TLS, and nothing in the clear.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use reqwest::Url;
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use x509_cert::{Certificate, der::Decode};

use super::{
    check::{Check, Context, Stop, Verdict, ensure, fail, skip},
    http::{Request, tls_config},
    subject::{Endpoint, Target},
};

/// Time for a connection and a handshake.
const WAIT: Duration = Duration::from_secs(10);

/// A certificate that ends sooner should have been renewed by now: ACM does so 60 days ahead.
const DAYS_LEFT: u64 = 14;

/// The checks.
pub const CHECKS: &[Check] = &[
    Check { name: "encrypted", what: "the API speaks TLS", how: |it| Box::pin(encrypted(it)) },
    Check {
        name: "certificate",
        what: "the certificate is trusted, fits the name and lasts",
        how: |it| Box::pin(certificate(it)),
    },
    Check {
        name: "old-tls",
        what: "versions before TLS 1.2 are refused",
        how: |it| Box::pin(old_versions(it)),
    },
    Check { name: "plain-http", what: "nothing is served without TLS", how: |it| Box::pin(plain_http(it)) },
];

/// The endpoint, where TLS is to be expected: a load balancer without a certificate, and an address on this machine, have none.
fn endpoint(it: &Context<'_>) -> Result<Endpoint, Stop> {
    let endpoint = it.subject.endpoint().map_err(Stop::Failed)?;
    if !endpoint.is_tls && it.subject.is_local() {
        return skip("the address is one of this machine");
    }
    Ok(endpoint)
}

async fn encrypted(it: &Context<'_>) -> Verdict {
    let endpoint = endpoint(it)?;
    if !endpoint.is_tls && it.subject.target == Target::Hybrid {
        return skip(
            "the load balancer has no certificate: everything is sent in the clear; the compute stack takes \
                     CertificateArn and APIDomainName",
        );
    }
    ensure(endpoint.is_tls, || format!("{} sends everything in the clear", it.subject.url))
}

fn tls_endpoint(it: &Context<'_>) -> Result<Endpoint, Stop> {
    let endpoint = endpoint(it)?;
    if endpoint.is_tls { Ok(endpoint) } else { skip("there is no TLS to look at") }
}

async fn connect(it: &Context<'_>, endpoint: &Endpoint) -> Result<TcpStream, Stop> {
    let Endpoint { host, port, .. } = endpoint;
    let connecting = async {
        let Some(detour) = &it.subject.detour else {
            return TcpStream::connect((host.as_str(), *port)).await;
        };
        let mut addresses = detour.addresses.clone();
        addresses.iter_mut().filter(|it| it.port() == 0).for_each(|it| it.set_port(*port));
        TcpStream::connect(&*addresses).await
    };
    match timeout(WAIT, connecting).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(err)) => fail(format!("{host}:{port} cannot be reached: {err}")),
        Err(_) => fail(format!("{host}:{port} does not answer within {} s", WAIT.as_secs())),
    }
}

async fn certificate(it: &Context<'_>) -> Verdict {
    let endpoint = tls_endpoint(it)?;
    let config = tls_config(it.subject.authorities.as_deref()).map_err(Stop::Failed)?;
    let name = ServerName::try_from(endpoint.host.clone())
        .map_err(|err| Stop::Failed(format!("\"{}\" is no name for TLS: {err}", endpoint.host)))?;
    let stream = connect(it, &endpoint).await?;
    let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let stream = match timeout(WAIT, handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(err)) => return fail(format!("{}: {err}", endpoint.host)),
        Err(_) => return fail(format!("{} does not finish a handshake", endpoint.host)),
    };
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let own = chain.first().ok_or_else(|| Stop::Failed("the server showed no certificate".to_owned()))?;
    let own = Certificate::from_der(own)
        .map_err(|err| Stop::Failed(format!("the certificate is broken: {err}")))?;
    let end = own.tbs_certificate.validity.not_after.to_system_time();
    let left = end.duration_since(SystemTime::now()).map_or(0, |it| it.as_secs() / 86_400);
    ensure(left >= DAYS_LEFT, || format!("the certificate ends in {left} days and was not renewed"))
}

/// A ClientHello as TLS 1.1 has it, with the server's name, since some servers choose by it.
fn hello_of_tls_1_1(host: &str) -> Vec<u8> {
    let with_len2 = |bytes: &[u8]| {
        let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
        [&len[..], bytes].concat()
    };
    let name = [&[0][..], &with_len2(host.as_bytes())].concat();
    let server_name = [&[0, 0][..], &with_len2(&with_len2(&name))].concat();
    let groups = [&[0, 10][..], &with_len2(&with_len2(&[0, 23, 0, 24]))].concat();
    let points = [&[0, 11][..], &with_len2(&[1, 0])].concat();
    let random: [u8; 32] = rand::random();
    // ECDHE and RSA with AES and SHA-1: what servers offered in the days of TLS 1.1.
    let suites = [0xc0, 0x13, 0xc0, 0x14, 0xc0, 0x09, 0xc0, 0x0a, 0x00, 0x2f, 0x00, 0x35];
    let body = [
        &[3, 2][..],
        &random,
        &[0],
        &with_len2(&suites),
        &[1, 0],
        &with_len2(&[server_name, groups, points].concat()),
    ]
    .concat();
    // The length of a handshake message has three bytes.
    let handshake = [&[1, 0][..], &with_len2(&body)].concat();
    [&[22, 3, 1][..], &with_len2(&handshake)].concat()
}

async fn old_versions(it: &Context<'_>) -> Verdict {
    let endpoint = tls_endpoint(it)?;
    let mut stream = connect(it, &endpoint).await?;
    let hello = hello_of_tls_1_1(&endpoint.host);
    let mut head = [0_u8; 1];
    let answered = timeout(WAIT, async {
        stream.write_all(&hello).await?;
        stream.read_exact(&mut head).await
    });
    match answered.await {
        // A record of type handshake is a ServerHello: it agreed. Anything else, an alert or a closed connection, is a no.
        Ok(Ok(_)) if head[0] == 22 => fail(format!("{} agrees to TLS 1.1", endpoint.host)),
        Ok(_) => Ok(()),
        Err(_) => fail(format!("{} neither agrees to TLS 1.1 nor refuses it", endpoint.host)),
    }
}

async fn plain_http(it: &Context<'_>) -> Verdict {
    let endpoint = tls_endpoint(it)?;
    let mut url = Url::parse(&it.subject.url).map_err(|err| Stop::Failed(err.to_string()))?;
    // A server with a port of its own can only be asked at that port, where plain HTTP is no less wrong.
    let is_set = url.set_scheme("http").is_ok()
        && url.set_port((endpoint.port != 443).then_some(endpoint.port)).is_ok();
    ensure(is_set, || format!("{} cannot be asked without TLS", it.subject.url))?;
    let Ok(answer) = it.http.unsigned().send(&Request::get(url.as_str())).await else { return Ok(()) };
    let goes_to = answer.header("location");
    let is_redirect = (300..400).contains(&answer.status) && goes_to.starts_with("https://");
    // 400 is how a TLS port answers who speaks HTTP to it; 403 how AWS does.
    ensure(is_redirect || matches!(answer.status, 400 | 403), || {
        format!("GET {url}: neither closed nor sent on to HTTPS, but {}", answer.describe())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_hello_is_well_formed() {
        let hello = hello_of_tls_1_1("example.com");
        let record_len = usize::from(u16::from_be_bytes([hello[3], hello[4]]));
        assert_eq!(hello.len(), 5 + record_len);
        let body_len = usize::from(u16::from_be_bytes([hello[7], hello[8]]));
        assert_eq!((hello[5], hello[6], record_len), (1, 0, 4 + body_len));
        assert_eq!(hello[9..11], [3, 2]);
    }
}
