//! Values that people know: names, addresses, numbers with check digits.

use crate::config::Spanned;

/// What is drawn from a table of words, by codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordKind {
    /// `person_name`, by language.
    PersonName,
    /// `company`, by language.
    Company,
    /// `street`, by language.
    Street,
    /// `phone`, by country.
    Phone,
    /// `iban`, by country.
    Iban,
    /// `pan`, by scheme.
    Pan,
    /// `user_agent`, by kind of device.
    UserAgent,
    /// `country`, by its code.
    Country,
    /// `currency`, by its code.
    Currency,
    /// `city`, by country.
    City,
}

/// A range of IPv4 addresses that nobody has on the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// 192.0.2.0/24, 198.51.100.0/24 and 203.0.113.0/24 (RFC 5737).
    Documentation,
    /// 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16 (RFC 1918).
    Private,
    /// 198.18.0.0/15 (RFC 2544).
    Benchmark,
    /// 100.64.0.0/10 (RFC 6598).
    Shared,
    /// 240.0.0.0/4 without 255.0.0.0/8 (RFC 1112).
    Reserved,
}

/// A generator of values that people know.
#[derive(Clone, Debug)]
pub enum Words {
    /// `{ iban = "DE" }`, `{ phone = ["US", "CA"], by = "account.home.country" }`.
    Listed {
        /// Of what.
        kind: WordKind,
        /// The codes to draw among; none: all of them.
        of: Vec<String>,
        /// A path to a text of codes; where it has a code that is not known, `of` counts.
        by: Option<Spanned<String>>,
    },
    /// `"email"`, or `{ email = "name" }`: of somebody, by the path to a name.
    Email {
        /// The path.
        of: Option<Spanned<String>>,
    },
    /// `{ coordinates = "account.home", within_km = 5 }`.
    Coordinates {
        /// The path to a row with `latitude` and `longitude`.
        near: Spanned<String>,
        /// How far away at most, above 0.
        within_km: f64,
    },
    /// `"product"`: the name of something to buy.
    Product,
    /// `{ lorem = 8 }`: so many words that mean nothing.
    Lorem(u32),
    /// `{ hash = 40 }`: so many hexadecimal digits.
    Hash(u32),
    /// `"uuid"`: a random UUID, version 4.
    Uuid,
    /// `"ipv4"`, or `{ ipv4 = "private" }`.
    Ipv4(Network),
    /// `"ipv6"`: of `2001:db8::/32` (RFC 3849).
    Ipv6,
    /// `"mac"`: locally administered.
    Mac,
}
