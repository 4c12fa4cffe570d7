package revocation

import (
	"crypto/x509"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
)

// The names of packages evidence and fetch that most programs need, so that they import one
// package.
type (
	// Status is what evidence says about a certificate.
	Status = evidence.Status
	// Source is where evidence is from.
	Source = evidence.Source
	// Result is what is known about one certificate.
	Result = evidence.Result
	// VerifyOptions are the terms of Config.Verify.
	VerifyOptions = evidence.VerifyOptions
	// NonceMode is for VerifyOptions.NonceMode.
	NonceMode = evidence.NonceMode

	// HTTPOptions are the terms of Config.HTTP.
	HTTPOptions = fetch.HTTPOptions
	// Fetcher is for Config.Fetcher.
	Fetcher = fetch.Fetcher
	// Request is what a Fetcher is asked for.
	Request = fetch.Request
	// Response is what a Fetcher returns.
	Response = fetch.Response
)

// The values of Status.
const (
	Unavailable   = evidence.Unavailable   // no evidence; the zero value
	Good          = evidence.Good          // not revoked
	Revoked       = evidence.Revoked       // revoked, or on hold
	Unknown       = evidence.Unknown       // the responder does not know the certificate
	NotApplicable = evidence.NotApplicable // exempt by a rule of the Config
)

// The values of Source.
const (
	SourceNone = evidence.SourceNone
	SourceOCSP = evidence.SourceOCSP
	SourceCRL  = evidence.SourceCRL
)

// The values of NonceMode.
const (
	NonceOff     = evidence.NonceOff
	NonceSend    = evidence.NonceSend
	NonceRequire = evidence.NonceRequire
)

// Errors of packages evidence and fetch that say why there is no answer, for errors.Is. Those
// packages have finer ones too.
var (
	ErrArgument        = evidence.ErrArgument
	ErrIssuerMismatch  = evidence.ErrIssuerMismatch
	ErrMalformed       = evidence.ErrMalformed
	ErrBadSignature    = evidence.ErrBadSignature
	ErrNotFresh        = evidence.ErrNotFresh
	ErrCRLIssuer       = evidence.ErrCRLIssuer
	ErrCRLScope        = evidence.ErrCRLScope
	ErrResponderStatus = evidence.ErrResponderStatus

	ErrBlockedURL     = fetch.ErrBlockedURL
	ErrBlockedAddress = fetch.ErrBlockedAddress
	ErrTransport      = fetch.ErrTransport
	ErrTimeout        = fetch.ErrTimeout
	ErrHTTPStatus     = fetch.ErrHTTPStatus
	ErrTooLarge       = fetch.ErrTooLarge
)

// VerifyOCSP is [evidence.VerifyOCSP]: it verifies an OCSP response about cert, which issuer has
// issued, and returns what it says.
func VerifyOCSP(der []byte, cert, issuer *x509.Certificate, o VerifyOptions) (Result, error) {
	return evidence.VerifyOCSP(der, cert, issuer, o)
}

// VerifyCRL is [evidence.VerifyCRL]: it verifies a complete CRL for cert, which issuer has
// issued, and returns what it says.
func VerifyCRL(der []byte, cert, issuer *x509.Certificate, o VerifyOptions) (Result, error) {
	return evidence.VerifyCRL(der, cert, issuer, o)
}
