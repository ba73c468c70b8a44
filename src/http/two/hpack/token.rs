//! Names that mean something to us, told apart once where a field is read, so that no request compares them again.

/// A field's name, as far as anybody here looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    Authority,
    Method,
    Path,
    Scheme,
    /// Begins with a colon, and is none that a request may have.
    OtherPseudo,
    Accept,
    AcceptEncoding,
    AvailableDictionary,
    IfMatch,
    IfModifiedSince,
    IfNoneMatch,
    IfRange,
    IfUnmodifiedSince,
    Origin,
    Range,
    SecFetchDest,
    SecFetchMode,
    SecFetchSite,
    Host,
    ContentLength,
    Te,
    /// Of a connection: HTTP/2 does not have them (RFC 9113, 8.2.2).
    Connection,
    /// A word to caches, or credentials.
    ToCaches,
    Other,
}

impl Token {
    pub fn of(name: &[u8]) -> Token {
        match name {
            b":authority" => Token::Authority,
            b":method" => Token::Method,
            b":path" => Token::Path,
            b":scheme" => Token::Scheme,
            [b':', ..] => Token::OtherPseudo,
            b"accept" => Token::Accept,
            b"accept-encoding" => Token::AcceptEncoding,
            b"available-dictionary" => Token::AvailableDictionary,
            b"if-match" => Token::IfMatch,
            b"if-modified-since" => Token::IfModifiedSince,
            b"if-none-match" => Token::IfNoneMatch,
            b"if-range" => Token::IfRange,
            b"if-unmodified-since" => Token::IfUnmodifiedSince,
            b"origin" => Token::Origin,
            b"range" => Token::Range,
            b"sec-fetch-dest" => Token::SecFetchDest,
            b"sec-fetch-mode" => Token::SecFetchMode,
            b"sec-fetch-site" => Token::SecFetchSite,
            b"host" => Token::Host,
            b"content-length" => Token::ContentLength,
            b"te" => Token::Te,
            b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding" | b"upgrade" => {
                Token::Connection
            }
            b"cache-control" | b"pragma" | b"authorization" => Token::ToCaches,
            _ => Token::Other,
        }
    }

    pub fn is_pseudo(self) -> bool {
        matches!(self, Token::Authority | Token::Method | Token::Path | Token::Scheme | Token::OtherPseudo)
    }
}
