package fetch

import (
	"context"
	"time"
)

// Kind is the kind of evidence to fetch.
type Kind string

// The kinds. The zero value is none.
const (
	OCSP Kind = "ocsp" // an OCSP response about one certificate
	CRL  Kind = "crl"  // a certificate revocation list
)

// Fetcher downloads bytes from a responder or a CRL distribution point. It decides nothing,
// because every byte that it returns is verified. The default is [HTTPFetcher]. Implementations
// must be safe for concurrent use, must return when ctx ends, and must not read more than
// Request.MaxBytes of a body. They should have their own timeout, so that a host that hangs
// counts as failing: a fetch that ends with ctx does not count against the host.
type Fetcher interface {
	Fetch(ctx context.Context, r Request) (Response, error)
}

// Request is one fetch. The URL comes from a certificate that chains to a trusted root, but it
// must not be trusted: a CA may be asked to write anything into its certificates.
type Request struct {
	// Kind determines the timeout, and whether redirects are followed.
	Kind Kind
	// Method is GET or POST.
	Method string
	// URL is absolute, http or https.
	URL string
	// Body is the body of a POST.
	Body []byte
	// MaxBytes bounds the body of the response. A longer one is ErrTooLarge.
	MaxBytes int64
	// ETag and LastModified make the request conditional, if not empty (RFC 9110, section 13.1).
	ETag, LastModified string
	// Configured states that the operator configured the URL. It does not come from a
	// certificate, so it may lead to a private network.
	Configured bool

	// Grow, if set, is called with the number of bytes of the body as they arrive. If it returns
	// an error, the fetch ends with that error. The memory budget cannot stop a Fetcher that does
	// not call it before the whole body is read.
	Grow func(bytes int) error
}

// Response is a response with status 200, or 304 without a body.
type Response struct {
	Body []byte
	// NotModified reports that the response to the conditional request was 304.
	NotModified bool
	// ETag and LastModified are the validators for the next conditional request.
	ETag, LastModified string
	// MaxAge is how long the response may be kept according to its Cache-Control; zero if it does
	// not say. It can shorten the use of evidence but never extend it.
	MaxAge time.Duration
}

// HTTPStatusError is returned for a response with an unexpected status. errors.Is finds
// ErrHTTPStatus.
type HTTPStatusError struct {
	// Status is the status code.
	Status int
	// RetryAfter is the delay that the responder requested; zero if there is none.
	RetryAfter time.Duration
}
