package fetch

import (
	"errors"
	"fmt"
)

// Why nothing could be fetched, for errors.Is. None of it is evidence.
var (
	// ErrBlockedURL: a scheme, port, or form of URL that is not fetched.
	ErrBlockedURL = errors.New("revocation: URL not allowed")
	// ErrBlockedAddress: the name leads to an address that is not connected to.
	ErrBlockedAddress = errors.New("revocation: address not allowed")
	// ErrRedirect: a redirect that is not followed.
	ErrRedirect = errors.New("revocation: redirect not followed")
	// ErrTimeout: the answer was not there in time.
	ErrTimeout = errors.New("revocation: timeout")
	// ErrTooLarge: the answer is longer than is read.
	ErrTooLarge = errors.New("revocation: answer too large")
	// ErrHTTPStatus: an HTTP status that is not success; see HTTPStatusError.
	ErrHTTPStatus = errors.New("revocation: HTTP status")
	// ErrTransport: no connection, or it broke.
	ErrTransport = errors.New("revocation: transport")
	// ErrOverloaded: too many fetches are under way or wait.
	ErrOverloaded = errors.New("revocation: too many fetches")
	// ErrBreakerOpen: the responder failed too often; it is left alone for a while.
	ErrBreakerOpen = errors.New("revocation: responder left alone after failures")
	// ErrEncoding: the body is compressed.
	ErrEncoding = errors.New("revocation: content encoding")
	// ErrRequest: a request that cannot be made.
	ErrRequest = errors.New("revocation: wrong request")
	// ErrBudget: the CRLs in memory, or in hand, would exceed their bound.
	ErrBudget = errors.New("revocation: memory for CRLs used up")
)

// Is reports whether target is ErrHTTPStatus.
func (e HTTPStatusError) Is(target error) bool { return target == ErrHTTPStatus }

// Error names the status code.
func (e HTTPStatusError) Error() string {
	return fmt.Sprintf("revocation: HTTP status %d", e.Status)
}
