//! The one thing asked of OpenSSL that the crate `openssl` has no name for: the hint that goes with pre-shared keys.
//!
//! The rule: no other `unsafe` is needed for OpenSSL, so none stands elsewhere.
#![allow(unsafe_code)]

use std::ffi::{CString, c_char, c_int};

use openssl::ssl::SslContextBuilder;
use openssl_sys::SSL_CTX;

use super::TlsError;

unsafe extern "C" {
    fn SSL_CTX_use_psk_identity_hint(context: *mut SSL_CTX, hint: *const c_char) -> c_int;
}

/// Tells Clients of TLS up to 1.2 which of their keys is meant; TLS 1.3 has no such hint.
pub(super) fn set(context: &mut SslContextBuilder, hint: &str) -> Result<(), TlsError> {
    let hint = CString::new(hint).map_err(|_| TlsError::other("the PSK hint has a zero byte in it"))?;
    // SAFETY: the context is valid as long as its builder lives, and nobody else uses it meanwhile. OpenSSL copies the
    // hint, which is a string that ends with zero, before it returns.
    let is_set = unsafe { SSL_CTX_use_psk_identity_hint(context.as_ptr(), hint.as_ptr()) };
    if is_set == 1 { Ok(()) } else { Err(TlsError::other("the PSK hint is longer than 128 bytes")) }
}
