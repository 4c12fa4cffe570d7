package revocation

import (
	"context"
	"crypto"
	"crypto/x509"
	"log/slog"
	"time"
)

// Mode selects the decision about a certificate for which there is no evidence.
type Mode uint8

const (
	// HardFail denies it. It is the zero value.
	HardFail Mode = iota
	// SoftFail accepts it, and logs that. Revoked still denies, as does evidence that is
	// too old and said Revoked, and Unknown unless AllowUnknown is set; so does a chain
	// whose certificates do not fit together, and every question after Close. An attacker who
	// can block access to the responder can use a revoked certificate.
	SoftFail
)

// Scope says which certificates of a chain are judged.
type Scope uint8

const (
	// ChainExceptAnchor judges every certificate below the root. It is the zero value.
	ChainExceptAnchor Scope = iota
	// LeafOnly judges the client's certificate alone: a revoked intermediate is not seen.
	LeafOnly
)

// Sources selects the kinds of source that are queried, and their order.
type Sources uint8

const (
	// PreferOCSP asks OCSP responders and then, if none gave an answer within half of
	// MaxWait, CRLs. It is the zero value.
	PreferOCSP Sources = iota
	// PreferCRL looks into CRLs and then, if none was there within half of MaxWait, asks OCSP
	// responders.
	PreferCRL
	// OCSPOnly never looks into a CRL about a certificate of a chain. Every certificate in
	// Scope must then name a responder, or Config.Responders one for its issuer; many
	// intermediates name a CRL alone and are refused under HardFail. Config.Lists with it
	// are an error of New.
	OCSPOnly
	// CRLOnly never asks a responder. Config.Responders with it are an error of New.
	CRLOnly
)

// Responder is an OCSP responder that the operator names.
type Responder struct {
	// URL is http or https. It may lead to a private network or to loopback.
	URL string
	// Issuer is the CA whose certificates it is asked about; nil is every CA.
	Issuer *x509.Certificate
	// Trusted are certificates that may sign its answers although the CA did not certify
	// them (RFC 6960, section 4.2.2.2, the first of its three). Without an Issuer they are
	// an error of New.
	Trusted []*x509.Certificate
}

// List is where CRLs come from, besides the certificates: exactly one field is set. The CRL
// may be a delta CRL: it is applied to the list that it continues, wherever that comes
// from, and a warning is logged if none of the Lists is that list.
//
// Where a list of another scope takes the place of one, that one counts until it runs out or a newer
// one replaces it. A third scope is refused with ErrBudget as long as that takes more than a quarter
// of MaxListBytes.
type List struct {
	// URL is http or https and may lead to a private network or to loopback. It is fetched
	// again when half of the list's life is over, after six hours at most.
	URL string
	// File is a CRL, DER or PEM, that is read again when it changes. Text before the PEM block
	// is passed over, as openssl crl -text writes it.
	File string
	// Dir is a directory of such files, one CRL each, at most 4096. Names that begin with a
	// dot and directories are passed over. The contents of a deleted file count until a newer
	// list of its scope replaces it or it runs out.
	Dir string
}

// Config configures a Checker. The zero value is the strict choice: every
// certificate below the root must be proven good by the sources that it names. The
// value is copied. A negative number or duration anywhere but in Verify is an error of New,
// as is every field that has no effect because of the others: bounds of OCSP under CRLOnly,
// those of CRLs under OCSPOnly, HTTP with a Fetcher.
type Config struct {
	// Mode is HardFail or SoftFail.
	Mode Mode
	// AllowNoSource accepts certificates that name no source. A certificate that names a responder
	// or a CRL is not among them, even if the source cannot be used: by LDAP, by a URL that cannot
	// be read, through another CRL issuer, or left out by Sources or IgnoreCertificateURLs.
	// Under SoftFail, which accepts all of these, it is an error of New.
	AllowNoSource bool
	// AllowUnknown accepts, under SoftFail, certificates that a responder does not know. Under
	// HardFail it is an error of New.
	AllowUnknown bool
	// Scope is ChainExceptAnchor or LeafOnly.
	Scope Scope
	// Sources is the order of sources.
	Sources Sources
	// ShortLived accepts certificates that are valid for no longer than this without
	// evidence. The default 0 accepts none; the CA/Browser Forum calls 7 days
	// short-lived.
	ShortLived time.Duration
	// StaleGrace is how long a Good is used after it has expired, if a source was queried
	// and nothing newer was available. The default is 0; more than 24 hours is an error of New.
	StaleGrace time.Duration

	// Responders are asked before those that a certificate names.
	Responders []Responder
	// Lists are CRLs that count besides those that a certificate names. They need Issuers.
	Lists []List
	// Issuers are the CAs that sign Lists and the lists given to Preload. A list from any
	// other CA is refused. A CA that signs its lists with another key than its
	// certificates is listed here with both: the list counts for the certificates if one of the two
	// has signed the other, or if the second signs lists alone and the CA above has signed
	// both (RFC 5280, section 6.3.3 (f)). For any other link see Verify.CRLIssuers. Once the key that
	// issued a certificate has signed a list for it, only lists by that key prove it good: if that
	// list runs out, the certificate is refused although a list by the other key is current.
	Issuers []*x509.Certificate
	// IgnoreCertificateURLs queries Responders and Lists alone: no URL from a
	// certificate or a list, including that of a delta, is fetched. Without Responders and
	// Lists it is an error of New.
	IgnoreCertificateURLs bool
	// IgnoreDeltas does not fetch delta CRLs, and does not call them missing. Without it a list
	// that names a delta is completed by it where that can be had. Those among Lists count in
	// either case.
	IgnoreDeltas bool

	// Verify are the terms of verification. Now, Nonce, TrustedResponders and Previous must not
	// be set: the Checker sets them.
	Verify VerifyOptions
	// CertIDHash is the hash by which OCSP requests name the issuer: crypto.SHA1, which every
	// responder knows and which is the default, or crypto.SHA256, which RFC 9919 recommends. It
	// identifies and protects nothing. Answers with SHA-1 and SHA-2 are understood in any case.
	CertIDHash crypto.Hash

	// HTTP are the bounds of the default Fetcher: which networks, which ports, how long.
	HTTP HTTPOptions
	// Fetcher replaces the default one, which restricts the addresses that URLs from
	// certificates may lead to; HTTP with it is an error of New. Close does not close it.
	Fetcher Fetcher
	// Store is shared by the instances of the service; nil is none.
	Store Store

	// MaxWait bounds the time spent gathering evidence for one chain, within the request's own context: 5
	// seconds by default. A caller with several verified chains is asked about at most four
	// of them, one after the other.
	MaxWait time.Duration
	// HedgeAfter is when the next responder, or the next distribution point, is asked as well
	// while one has not answered: 700 ms by default.
	HedgeAfter time.Duration
	// MaxRecords bounds how many certificates are remembered: 10 000 by default, about
	// 2 KB each.
	MaxRecords int
	// MaxListMemory bounds the CRLs in memory, in bytes: 64 MiB by default, an entry taking
	// its serial number and little more, 17 bytes for one of 16. Beyond it lists that were
	// not used for an hour make room, then those of the partner (the anchor of the verified
	// chain) that holds most, if that is more than the partner that asks would hold; else the
	// new one is refused ([ErrBudget]).
	MaxListMemory int
	// MaxListBytes bounds one CRL while it is read, in bytes: 32 MiB by default. A larger
	// one is [ErrTooLarge]. All that are read at the same time for one partner have a quarter
	// more than that together; a list that does not fit is [ErrBudget] and tried again.
	MaxListBytes int
	// PollInterval is how often files are looked at, when traffic comes: 30 seconds by
	// default. The first request after twice that time waits for the look, a second at most.
	PollInterval time.Duration

	// Now is the clock; nil is the system's. While it panics it is 1970, and nothing is good.
	Now func() time.Time
	// Logger receives the records for the operator; nil logs nothing.
	Logger *slog.Logger
	// Observe gets an event for every fetch that came to an end by itself, and for the
	// beginning and the end of every outage. It must be fast and safe for concurrent use.
	Observe func(context.Context, Event)
}

const (
	defaultMaxWait       = 5 * time.Second
	defaultHedgeAfter    = 700 * time.Millisecond
	defaultMaxRecords    = 10_000
	defaultMaxListMemory = 64 << 20
	defaultMaxListBytes  = 32 << 20
	defaultPollInterval  = 30 * time.Second
	maxStaleGrace        = 24 * time.Hour
)
