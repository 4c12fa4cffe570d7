package fetch

import (
	"errors"
	"fmt"
)

// Reasons why nothing could be fetched, for errors.Is. None of them is evidence.
var (
	// ErrBlockedURL: the scheme, port, or form of the URL is not allowed.
	ErrBlockedURL = errors.New("revocation: URL not allowed")
	// ErrBlockedAddress: the host resolves to an address that is not allowed.
	ErrBlockedAddress = errors.New("revocation: address not allowed")
	// ErrRedirect: the redirect is not allowed.
	ErrRedirect = errors.New("revocation: redirect not followed")
	// ErrTimeout: there was no response in time.
	ErrTimeout = errors.New("revocation: timeout")
	// ErrTooLarge: the response is longer than allowed.
	ErrTooLarge = errors.New("revocation: answer too large")
	// ErrHTTPStatus: the HTTP status is not a success; see HTTPStatusError.
	ErrHTTPStatus = errors.New("revocation: HTTP status")
	// ErrTransport: the connection failed.
	ErrTransport = errors.New("revocation: transport")
	// ErrOverloaded: too many fetches are running or waiting.
	ErrOverloaded = errors.New("revocation: too many fetches")
	// ErrBreakerOpen: the responder failed too often and is not contacted for a while.
	ErrBreakerOpen = errors.New("revocation: responder left alone after failures")
	// ErrEncoding: the body is compressed.
	ErrEncoding = errors.New("revocation: content encoding")
	// ErrRequest: the request is invalid.
	ErrRequest = errors.New("revocation: wrong request")
	// ErrBudget: the CRLs in memory, or being read, would exceed their memory limit.
	ErrBudget = errors.New("revocation: memory for CRLs used up")
)

// Is reports whether target is ErrHTTPStatus.
func (e HTTPStatusError) Is(target error) bool { return target == ErrHTTPStatus }

// Error names the status code.
func (e HTTPStatusError) Error() string {
	return fmt.Sprintf("revocation: HTTP status %d", e.Status)
}
