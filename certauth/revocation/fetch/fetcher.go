package fetch

import (
	"context"
	"time"
)

// Kind is the kind of evidence to fetch.
type Kind uint8

// The kinds. The zero value is none.
const (
	OCSP Kind = iota + 1 // a response about one certificate
	CRL                  // a list
)

// String returns "ocsp" or "crl".
func (k Kind) String() string {
	switch k {
	case OCSP:
		return "ocsp"
	case CRL:
		return "crl"
	}
	return "none"
}

// Fetcher gets bytes from a responder or a CRL distribution point. It decides nothing:
// every byte that it returns is verified. [HTTPFetcher] is the one that is used unless
// another one is configured. Implementations must be safe for concurrent use, must return when
// ctx ends, and must not read more than Request.MaxBytes of a body. A deadline of their own
// makes a host that hangs count as failing; a fetch that ends with ctx does not count against the host.
type Fetcher interface {
	Fetch(ctx context.Context, r Request) (Response, error)
}

// Request is one fetch. URL comes from a certificate that chains to a trusted root, and is
// still not to be trusted: a CA may be asked to write anything into its certificates.
type Request struct {
	// Kind decides how long the fetch may take and whether
	// redirects are followed.
	Kind Kind
	// Method is GET or POST.
	Method string
	// URL is absolute, http or https.
	URL string
	// Body is the body of a POST.
	Body []byte
	// MaxBytes bounds the body of the answer. A longer one is ErrTooLarge.
	MaxBytes int64
	// ETag and LastModified make the request conditional, if not empty (RFC 9110, section 13.1).
	ETag, LastModified string
	// Configured says that the operator wrote the URL down. It does not come
	// from a certificate, so it may lead to a private network.
	Configured bool

	// Grow, if set, is told of the bytes of a body as they come. An error ends the fetch, and is
	// what Fetch returns. A Fetcher that does not call it is told about its mistake too late.
	Grow func(bytes int) error
}

// Response is a response with status 200, or 304 without a body.
type Response struct {
	Body []byte
	// NotModified says that the conditional request was answered with 304.
	NotModified bool
	// ETag and LastModified are for the next conditional request.
	ETag, LastModified string
	// MaxAge is how long the answer may be kept by its Cache-Control; zero if it says
	// nothing. It can shorten the life of evidence, never prolong it.
	MaxAge time.Duration
}

// HTTPStatusError is an answer whose status is not the one wanted. errors.Is finds
// ErrHTTPStatus.
type HTTPStatusError struct {
	// Status is the status code.
	Status int
	// RetryAfter is the delay that the responder requested; zero if none.
	RetryAfter time.Duration
}
