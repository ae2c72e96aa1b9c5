//! A PROXY header from whoever reaches the port: it is found alike however it is cut, and never beyond what came.
#![no_main]

use libfuzzer_sys::fuzz_target;
use martlet_net::{ProxyVersions, parse_proxy_header};

fuzz_target!(|data: &[u8]| {
    let whole = parse_proxy_header(data, ProxyVersions::Both);
    if let Ok(Some((_, len))) = &whole {
        assert!(*len <= data.len());
        // What follows a header, or has not come yet, does not change it.
        assert_eq!(parse_proxy_header(&data[..*len], ProxyVersions::Both), whole);
    }
    for cut in 1..data.len().min(600) {
        match parse_proxy_header(&data[..cut], ProxyVersions::Both) {
            Ok(None) => {}
            decided => {
                assert_eq!(decided, whole);
                break;
            }
        }
    }
});
