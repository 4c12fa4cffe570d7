package revocation

import (
	"context"
	"crypto"
	"crypto/x509"
	"log/slog"
	"math"
	"time"
)

// Mode selects the decision about a certificate for which there is no evidence.
type Mode uint8

const (
	// HardFail refuses the caller. It is the zero value and the default.
	HardFail Mode = iota
	// SoftFail accepts the certificate and logs that. The documentation of the package says what it
	// still refuses. An attacker who can block access to the responder can use a revoked certificate.
	SoftFail
)

// Scope determines which certificates of a chain are checked.
type Scope uint8

const (
	// ChainExceptAnchor checks every certificate below the root. It is the default.
	ChainExceptAnchor Scope = iota
	// LeafOnly checks only the client's certificate: a revoked intermediate goes unnoticed.
	LeafOnly
)

// Sources selects the kinds of source that are queried, and their order.
type Sources uint8

const (
	// PreferOCSP asks OCSP responders and then, if none has answered within half of MaxWait, uses
	// CRLs. It is the zero value and the default.
	PreferOCSP Sources = iota
	// PreferCRL uses CRLs and then, if none is available within half of MaxWait, asks OCSP
	// responders.
	PreferCRL
	// OCSPOnly never uses a CRL for a certificate of a chain. Every certificate in Scope must
	// then name a responder, or Config.Responders must have one for its issuer. Many
	// intermediates name only a CRL and are refused under HardFail. Config.Lists are an error of
	// New.
	OCSPOnly
	// CRLOnly never asks a responder. Config.Responders are an error of New.
	CRLOnly
)

// Responder is an OCSP responder that the operator configures.
type Responder struct {
	// URL is http or https. It may lead to a private network or to loopback. Required.
	URL string
	// Issuer is the CA whose certificates the responder is asked about; nil means every CA.
	Issuer *x509.Certificate
	// Trusted are certificates that may sign its responses although the CA did not certify them
	// (RFC 6960, section 4.2.2.2, the first of its three cases). Without an Issuer they are an
	// error of New.
	Trusted []*x509.Certificate
}

// List is a source of CRLs in addition to those that certificates name. Exactly one field must be
// set. The CRL may be a delta CRL: it is applied to the list that it continues, whatever the
// source of that list, and a warning is logged if that list is not among the Lists.
//
// Of several lists of one signer and scope the newest counts. When it has expired, an older one that
// has not is used, but no certificate that the newest calls permanently revoked is good.
//
// If a list of another scope replaces a list, or a delta CRL that continues another list replaces
// a delta CRL, the old one stays in use until it expires or a newer one replaces it. As long as
// that takes more than a quarter of MaxListBytes, a list of a third scope is refused with
// ErrBudget.
type List struct {
	// URL is http or https and may lead to a private network or to loopback. It is fetched again
	// when half of the list's lifetime is over, and after six hours at the latest.
	URL string
	// File is a CRL in DER or PEM. It is read again when it changes. Text before the PEM block,
	// as openssl crl -text writes it, is ignored. A delta that the CRL names is fetched when the
	// file is read, and again when half of its lifetime is over, after six hours at the latest.
	File string
	// Dir is a directory of such files, one CRL each, at most 4096. Directories and names that
	// begin with a dot are ignored. The contents of a deleted file stay in use until a newer list
	// of the same scope (issuing distribution point) replaces them or they expire.
	Dir string
}

// Config configures a Checker. The zero value is the strict choice: every certificate below the
// root must be proven good by the sources that it names. New copies the value. A negative number
// or duration anywhere but in Verify is an error of New, and so is every field that has no effect
// because of others: OCSP settings with CRLOnly, CRL settings with OCSPOnly, HTTP with a Fetcher.
type Config struct {
	// Mode is HardFail, the default, or SoftFail.
	Mode Mode
	// AllowNoSource accepts certificates that name no source at all. It does not accept a
	// certificate that names a responder or a CRL that cannot be used: because of LDAP, an
	// unreadable URL, another CRL issuer, Sources or IgnoreCertificateURLs. SoftFail accepts all
	// of these, so together with it AllowNoSource is an error of New.
	AllowNoSource bool
	// AllowUnknown accepts, with SoftFail, certificates that a responder does not know. With
	// HardFail it is an error of New.
	AllowUnknown bool
	// Scope is ChainExceptAnchor, the default, or LeafOnly.
	Scope Scope
	// Sources selects the sources and their order. The default is PreferOCSP.
	Sources Sources
	// ShortLived accepts certificates whose whole validity period is not longer than this without
	// evidence. The default 0 accepts none; the CA/Browser Forum calls 7 days short-lived.
	ShortLived time.Duration
	// StaleGrace is how long a Good may be used after it has expired, if a source was queried and
	// nothing newer was available. The default is 0; more than 24 hours is an error of New.
	StaleGrace time.Duration

	// Responders are asked before the responders that a certificate names.
	Responders []Responder
	// Lists are CRLs in addition to those that a certificate names. They require Issuers.
	Lists []List
	// Issuers are the CAs that sign Lists and the lists given to Preload. A list of any other CA
	// is refused. If a CA signs its lists with a second key, list its certificate for that key too.
	// The lists of the second key are used if one of the two certificates signed the other, or if
	// the second one only signs lists and the CA above has signed both (RFC 5280, section 6.3.3
	// (f)). For any other relation see Verify.CRLIssuers. Once the key that issued a certificate
	// has signed a list for it, only lists of that key prove the certificate good: if they expire,
	// the certificate is refused even if a list of the second key is current. The status of the
	// second certificate is not queried, but if a known list revokes it, no list of the second key
	// proves a certificate good. After it has expired none does either, but what the lists that were
	// signed before say against certificates still counts. At a distribution point a list of the second
	// key proves certificates good once that of the issuing key has expired.
	Issuers []*x509.Certificate
	// IgnoreCertificateURLs uses only Responders and Lists: no URL in a certificate or a list,
	// including that of a delta, is fetched. Without Responders and Lists it is an error of New.
	IgnoreCertificateURLs bool
	// IgnoreDeltas does not fetch delta CRLs and does not report them as missing. By default a
	// list that names a delta is combined with the delta if that is available. Deltas among Lists
	// are used in either case.
	IgnoreDeltas bool

	// Verify sets the terms of verification. Now, Nonce, TrustedResponders and Previous must not
	// be set, because the Checker sets them. A list that revokes one of CRLIssuers does not end its
	// use: remove it.
	Verify VerifyOptions
	// CertIDHash is the hash with which OCSP requests identify the issuer: crypto.SHA1, the
	// default, which every responder supports, or crypto.SHA256, which RFC 9919 recommends. It is
	// an identifier only and protects nothing. Responses with SHA-1 and SHA-2 are understood in
	// any case.
	CertIDHash crypto.Hash

	// HTTP configures the default Fetcher: permitted networks and ports, timeouts. An attempt to get
	// evidence ends after two minutes, so a timeout that is not shorter is an error of New.
	HTTP HTTPOptions
	// Fetcher replaces the default one, which restricts the addresses to which URLs in
	// certificates may lead. Together with HTTP it is an error of New. Close does not close it.
	Fetcher Fetcher
	// Store is shared by the instances of the service; nil means none.
	Store Store

	// MaxWait bounds the time spent gathering evidence for one chain, within the request's own
	// context. The default is 5s. With SoftFail a certificate whose evidence takes longer is accepted
	// until the evidence is there. Of a caller with several verified chains at most four are
	// checked, one after the other.
	MaxWait time.Duration
	// MaxRecords bounds the number of remembered certificates. A certificate whose chains lead to
	// several roots is remembered once for each. The default is 10000; each takes about 2 KB. When
	// the limit is reached, those of the partner that has most are forgotten, the least recently
	// used first.
	MaxRecords int
	// MaxListMemory bounds the CRLs in memory, in bytes. The default is 64 MiB. An entry takes
	// little more than its serial number: 17 bytes for one of 16 bytes. When the limit is
	// reached, lists that were not used for an hour are dropped, then those of the partner (the
	// anchor of the verified chain) that holds most, if that is more than the requesting partner
	// would hold. Otherwise the new list is refused ([ErrBudget]).
	MaxListMemory int
	// MaxListBytes bounds the size of one CRL while it is read, in bytes. The default is 32 MiB.
	// More than an eighth of the largest int is an error of New. A larger list is [ErrTooLarge].
	// All lists that are read at the same time for one partner may take a quarter more than that;
	// a list that does not fit is [ErrBudget] and tried again.
	MaxListBytes int
	// PollInterval is the minimum time between two checks of files for changes, while requests
	// arrive. The default is 30s. The first request after twice that time waits for the check,
	// for at most a second.
	PollInterval time.Duration

	// Now is the clock, safe for concurrent use; nil means the system's. If it panics the time is
	// 1970, and no evidence is accepted.
	Now func() time.Time
	// Logger receives the records for the operator; nil logs nothing.
	Logger *slog.Logger
	// Observe is called for every fetch that was completed, and for the beginning and the end of
	// every outage. It must be fast and safe for concurrent use. Nil is ignored.
	Observe func(context.Context, Event)
}

const (
	maxStaleGrace = 24 * time.Hour
	// maxMaxListBytes leaves room for the bounds that are multiples of MaxListBytes.
	maxMaxListBytes = math.MaxInt / 8
)
