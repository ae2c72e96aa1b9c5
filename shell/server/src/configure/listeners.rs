//! Where the node listens: transports, terms and entrances.

use std::net::IpAddr;
use std::sync::Arc;

use martlet_auth::PskFile;
use martlet_config as written;
use martlet_net::{
    Address, ClientCertificate, Family, IdentityFiles, ListenerOptions, Network, ProxyOptions, ProxyVersions,
    PskKeys, PskOptions, TlsOptions, TlsVersion, TlsVersions, TrustedSources, WebSocketOptions,
};
use martlet_packet::QoS;
use martlet_session::Terms;

use super::Unusable;
use super::security::{self, Files};
use super::store::need;
use crate::{Config, Listen};

pub(super) fn all(
    from: &written::Config,
    config: &Config,
    warnings: &mut Vec<String>,
) -> Result<Vec<Listen>, Unusable> {
    let mut files = Files::default();
    let mut listen = Vec::new();
    for (number, listener) in (0_u16..).zip(&from.listeners) {
        if listener.protocol == written::Protocol::HttpApi {
            warnings
                .push(format!("port {}: http_api has no effect yet; the port stays closed", listener.port));
            continue;
        }
        listen.push(Listen {
            options: options(from, listener, config, &mut files, warnings)?,
            terms: terms(from, listener, number),
            entrance: security::entrance(from, listener, &mut files)?,
        });
    }
    warnings.append(&mut files.warnings);
    Ok(listen)
}

fn options(
    from: &written::Config,
    listener: &written::Listener,
    config: &Config,
    files: &mut Files,
    warnings: &mut Vec<String>,
) -> Result<ListenerOptions, Unusable> {
    if listener.websocket.http_dir.is_some() {
        warnings.push(format!("port {}: http_dir has no effect: no files are served", listener.port));
    }
    let mut options = ListenerOptions::new(address(listener));
    options.tcp = config.tcp;
    options.max_connections = listener.connections_max.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    options.proxy = proxy(listener)?;
    options.tls = tls(from, listener, files)?;
    options.websocket = websocket(from, listener)?;
    Ok(options)
}

fn address(listener: &written::Listener) -> Address {
    if let Some(path) = &listener.unix_socket {
        return Address::Unix { path: path.clone() };
    }
    Address::Tcp {
        host: listener.host.clone(),
        port: listener.port,
        family: match listener.family {
            None => Family::Any,
            Some(written::IpFamily::Ipv4) => Family::V4,
            Some(written::IpFamily::Ipv6) => Family::V6,
        },
        interface: listener.bind_interface.clone(),
    }
}

fn terms(from: &written::Config, listener: &written::Listener, number: u16) -> Terms {
    let security = from.security_of(listener);
    Terms {
        realm: if from.per_listener_settings { number } else { 0 },
        need: listener.durability.map(need),
        maximum_qos: QoS::try_from(listener.qos_max).unwrap_or(QoS::ExactlyOnce),
        topic_alias_maximum: Some(listener.topic_alias_max),
        mount_point: listener.mount_point.as_deref().map(Into::into),
        username_is_client_id: listener.use_username_as_clientid,
        identity_is_username: listener.tls.use_identity_as_username || listener.tls.use_subject_as_username,
        client_id_prefix: Some(from.auto_id_prefix(listener).into()),
        allows_empty_client_id: security.allow_zero_length_clientid,
        ..Terms::default()
    }
}

fn proxy(listener: &written::Listener) -> Result<Option<ProxyOptions>, Unusable> {
    let versions = match listener.proxy {
        written::ProxyProtocol::Off => return Ok(None),
        written::ProxyProtocol::V1 => ProxyVersions::V1,
        written::ProxyProtocol::V2 => ProxyVersions::V2,
    };
    let trusted = if listener.trusted_proxies.is_empty() { everybody() } else { sources(listener)? };
    Ok(Some(ProxyOptions { trusted, versions, requires_tls: listener.proxy_require_tls }))
}

fn sources(listener: &written::Listener) -> Result<TrustedSources, Unusable> {
    let network = |text: &String| text.parse().map_err(|error| Unusable::of("trusted_proxies", error));
    Ok(TrustedSources(listener.trusted_proxies.iter().map(network).collect::<Result<Vec<Network>, _>>()?))
}

/// All addresses there are.
fn everybody() -> TrustedSources {
    let all = [IpAddr::from([0; 4]), IpAddr::from([0; 16])];
    TrustedSources(all.into_iter().filter_map(|address| Network::new(address, 0)).collect())
}

fn websocket(
    from: &written::Config,
    listener: &written::Listener,
) -> Result<Option<WebSocketOptions>, Unusable> {
    if listener.protocol != written::Protocol::Websockets {
        return Ok(None);
    }
    let is_native = from.dialect == written::Dialect::Native;
    Ok(Some(WebSocketOptions {
        paths: listener.websocket.paths.clone(),
        origins: listener.websocket.origins.clone(),
        allows_no_subprotocol: !is_native,
        request_bytes_max: usize::from(from.limits.packet_buffer_size),
        forwarders: sources(listener)?,
        ..WebSocketOptions::default()
    }))
}

fn tls(
    from: &written::Config,
    listener: &written::Listener,
    files: &mut Files,
) -> Result<Option<TlsOptions>, Unusable> {
    let tls = &listener.tls;
    if !tls.is_on() {
        return Ok(None);
    }
    let identity = tls.certfile.clone().zip(tls.keyfile.clone());
    let identity = identity.map(|(certificate, key)| IdentityFiles { certificate, key, password: None });
    // Mosquitto asks for no certificate it does not require.
    let may_ask = from.dialect == written::Dialect::Native && (tls.cafile.is_some() || tls.capath.is_some());
    Ok(Some(TlsOptions {
        identities: identity.into_iter().collect(),
        authority_file: tls.cafile.clone(),
        authority_folder: tls.capath.clone(),
        revocation_file: tls.crlfile.clone(),
        client_certificate: match (tls.require_certificate, may_ask) {
            (true, _) => ClientCertificate::Required,
            (false, true) => ClientCertificate::Optional,
            (false, false) => ClientCertificate::NotAsked,
        },
        versions: versions(tls),
        ciphers: tls.ciphers.clone(),
        ciphersuites: tls.ciphers_tls13.clone(),
        dh_parameters: tls.dhparamfile.clone(),
        psk: psk(from, listener, files)?,
        ..TlsOptions::default()
    }))
}

fn versions(tls: &written::Tls) -> TlsVersions {
    let min = match tls.version_min {
        None | Some(written::TlsVersion::V1_2) => TlsVersion::V1_2,
        Some(written::TlsVersion::V1_1) => TlsVersion::V1_1,
        Some(written::TlsVersion::V1_3) => TlsVersion::V1_3,
    };
    TlsVersions { min, ..TlsVersions::default() }
}

/// The keys of a file, found by identity.
struct Keys(Arc<PskFile>);

impl PskKeys for Keys {
    fn find(&self, identity: &[u8], key: &mut [u8]) -> Option<usize> {
        let found = self.0.key_of(std::str::from_utf8(identity).ok()?)?.as_bytes();
        key.get_mut(..found.len())?.copy_from_slice(found);
        Some(found.len())
    }
}

fn psk(
    from: &written::Config,
    listener: &written::Listener,
    files: &mut Files,
) -> Result<Option<PskOptions>, Unusable> {
    let Some(hint) = &listener.tls.psk_hint else { return Ok(None) };
    let Some(file) = &from.security_of(listener).psk_file else {
        return Err(Unusable::of("psk_hint", "there must be a psk_file with the keys"));
    };
    Ok(Some(PskOptions { hint: hint.clone(), keys: Arc::new(Keys(files.psks(file)?)) }))
}
