//! Verification of the server's certificate.
//!
//! libpq separates "signed by a known authority" from "for this host", looks into the common name
//! where there is no alternative name, and trusts a self-signed certificate that is its own root.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::der::asn1::{Ia5StringRef, PrintableStringRef, Utf8StringRef};
use x509_cert::der::oid::db::rfc4519::COMMON_NAME;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// How much is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// Encryption only.
    Nothing,
    /// The chain of signatures.
    Chain,
    /// And the host's name.
    ChainAndName,
}

/// Verifies as `sslmode` says.
#[derive(Debug)]
pub(super) struct Verifier {
    check: Check,
    host: String,
    chain: Option<Arc<WebPkiServerVerifier>>,
    roots: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// The certificate is someone else's.
#[derive(Debug, PartialEq)]
struct NameMismatch {
    certificate: String,
    host: String,
}

impl fmt::Display for NameMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "server certificate for \"{}\" does not match host name \"{}\"",
            self.certificate, self.host
        )
    }
}

impl std::error::Error for NameMismatch {}

impl Verifier {
    pub(super) fn new(
        check: Check,
        host: &str,
        chain: Option<Arc<WebPkiServerVerifier>>,
        roots: Vec<CertificateDer<'static>>,
        provider: &CryptoProvider,
    ) -> Self {
        Self {
            check,
            host: host.to_owned(),
            chain,
            roots,
            algorithms: provider.signature_verification_algorithms,
        }
    }

    fn verify_chain(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<(), Error> {
        // Such a certificate is usually marked as an authority, which WebPKI refuses for a server.
        if self.roots.iter().any(|it| it == end_entity) {
            return verify_validity(end_entity, now);
        }
        let Some(chain) = &self.chain else { return Ok(()) };
        match chain.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            // The name is looked at after the chain was found good; ours is compared below.
            Ok(_)
            | Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.check != Check::Nothing {
            self.verify_chain(end_entity, intermediates, name, ocsp, now)?;
        }
        if self.check == Check::ChainAndName {
            verify_name(end_entity, &self.host)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn parse(der: &CertificateDer<'_>) -> Result<Certificate, Error> {
    Certificate::from_der(der).map_err(|_| CertificateError::BadEncoding.into())
}

fn verify_validity(der: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let validity = parse(der)?.tbs_certificate.validity;
    let seconds = |it: x509_cert::time::Time| it.to_unix_duration().as_secs();
    if now.as_secs() < seconds(validity.not_before) {
        return Err(CertificateError::NotValidYet.into());
    }
    if now.as_secs() > seconds(validity.not_after) {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

/// The host is one of the certificate's alternative names, or its common name where it has none of
/// the kind.
fn verify_name(der: &CertificateDer<'_>, host: &str) -> Result<(), Error> {
    let certificate = parse(der)?.tbs_certificate;
    let alternatives = certificate.get::<SubjectAltName>().ok().flatten();
    let ip: Option<IpAddr> = host.parse().ok();
    let mut first = None;
    let mut of_kind = false;
    for name in alternatives.iter().flat_map(|(_, names)| &names.0) {
        match name {
            GeneralName::DnsName(pattern) => {
                of_kind |= ip.is_none();
                if matches(pattern.as_str(), host) {
                    return Ok(());
                }
                first.get_or_insert_with(|| pattern.to_string());
            }
            GeneralName::IpAddress(octets) => {
                of_kind |= ip.is_some();
                let same = match ip {
                    Some(IpAddr::V4(ip)) => octets.as_bytes() == ip.octets(),
                    Some(IpAddr::V6(ip)) => octets.as_bytes() == ip.octets(),
                    None => false,
                };
                if same {
                    return Ok(());
                }
            }
            _ => {}
        }
    }
    let common_name = certificate.subject.0.iter().flat_map(|it| it.0.iter()).find_map(|it| {
        if it.oid != COMMON_NAME {
            return None;
        }
        Utf8StringRef::try_from(&it.value)
            .map(|it| it.as_str().to_owned())
            .or_else(|_| PrintableStringRef::try_from(&it.value).map(|it| it.as_str().to_owned()))
            .or_else(|_| Ia5StringRef::try_from(&it.value).map(|it| it.as_str().to_owned()))
            .ok()
    });
    if !of_kind && common_name.as_deref().is_some_and(|it| matches(it, host)) {
        return Ok(());
    }
    let mismatch =
        NameMismatch { certificate: first.or(common_name).unwrap_or_default(), host: host.to_owned() };
    Err(Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(mismatch)))))
}

/// Case-insensitive; a leading `*.` stands for exactly one label.
fn matches(pattern: &str, host: &str) -> bool {
    if pattern.is_empty() {
        return false;
    }
    if pattern.eq_ignore_ascii_case(host) {
        return true;
    }
    // Never for an address, which has no labels.
    let (Some(suffix), Err(_)) = (pattern.strip_prefix("*."), host.parse::<IpAddr>()) else {
        return false;
    };
    match host.split_once('.') {
        Some((label, rest)) => !label.is_empty() && rest.eq_ignore_ascii_case(suffix),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn matches_names_and_one_wildcard_label() {
        for (pattern, host, expected) in [
            ("db.example.com", "DB.example.com", true),
            ("db.example.com", "db2.example.com", false),
            ("*.example.com", "db.example.com", true),
            ("*.example.com", "a.db.example.com", false),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("d*.example.com", "db.example.com", false),
            ("*", "db", false),
            ("", "", false),
            ("10.0.0.1", "10.0.0.1", true),
            ("*.0.0.1", "10.0.0.1", false),
        ] {
            assert_eq!(matches(pattern, host), expected, "{pattern} {host}");
        }
    }
}
