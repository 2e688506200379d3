//! Randomness, keyed hashes, passwords: the few cryptographic calls of the application.
//!
//! Serves sessions, CSRF, login codes and the administrators' login. Must not know what the values mean.

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// `bytes` random bytes as hexadecimal digits.
pub fn random_hex(bytes: usize) -> String {
    let mut buffer = vec![0u8; bytes];
    getrandom::fill(&mut buffer).expect("the kernel's random source does not fail once it is up");
    hex(&buffer)
}

/// HMAC-SHA256 of `message` under `key`, as hexadecimal digits.
pub fn keyed_hash(key: &str, message: &str) -> String {
    hex(&mac(key, message))
}

/// SHA-256 of `bytes`, as hexadecimal digits.
pub fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// A login code of 80 bits that the server can print again at any time and stores only as its keyed hash:
/// 16 characters without the ones that are mistaken for each other, in groups of four.
pub fn login_code(key: &str, survey: i64, person: &str) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let bytes = mac(key, &format!("login code\n{survey}\n{person}"));
    let mut out = String::new();
    for (i, group) in bytes[..10].chunks(5).enumerate() {
        let bits = group.iter().fold(0u64, |acc, b| acc << 8 | u64::from(*b));
        for j in 0..8 {
            if (i, j) != (0, 0) && j % 4 == 0 {
                out.push('-');
            }
            out.push(LETTERS[(bits >> (35 - 5 * j) & 31) as usize] as char);
        }
    }
    out
}

/// What is stored of a login code: however it was typed, it is the same code.
pub fn code_hmac(key: &str, typed: &str) -> String {
    let plain: String = typed.chars().filter(char::is_ascii_alphanumeric).collect();
    keyed_hash(key, &format!("stored code\n{}", plain.to_ascii_uppercase()))
}

/// Whether two texts are equal, in a time that does not depend on where they differ.
pub fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0u8, |acc, (x, y)| acc | (x ^ y)) == 0
}

/// A salted argon2id hash, in PHC form.
pub fn password_hash(password: &str) -> String {
    let mut salt = [0u8; 16];
    getrandom::fill(&mut salt).expect("the kernel's random source does not fail once it is up");
    argon2::Argon2::default()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .expect("default parameters and a salt of 16 bytes are valid")
        .to_string()
}

/// Whether `password` belongs to `stored`; a malformed hash belongs to none.
pub fn password_fits(password: &str, stored: &str) -> bool {
    PasswordHash::new(stored)
        .is_ok_and(|hash| argon2::Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

fn mac(key: &str, message: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("a key of any length is valid");
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_survive_how_people_type_them() {
        let code = login_code("k", 1, "7");
        assert_eq!(code.len(), 19);
        assert_eq!(code_hmac("k", &code), code_hmac("k", &code.to_lowercase().replace('-', " ")));
        assert_ne!(login_code("k", 1, "7"), login_code("k", 1, "8"));
        assert_ne!(login_code("k", 1, "7"), login_code("x", 1, "7"));
    }

    #[test]
    fn passwords() {
        let stored = password_hash("correct horse");
        assert!(password_fits("correct horse", &stored));
        assert!(!password_fits("Correct horse", &stored));
        assert!(!password_fits("", "not a hash"));
    }

    #[test]
    fn comparison() {
        assert!(same("abc", "abc") && !same("abc", "abd") && !same("abc", "ab"));
    }
}
