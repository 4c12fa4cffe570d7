package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/advice"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// Reasons why nothing could be fetched, for errors.Is. None of them is evidence.
var (
	ErrBlockedURL     = errors.New("revocation: URL not allowed")       // the scheme, port, or form of the URL is not allowed
	ErrBlockedAddress = errors.New("revocation: address not allowed")   // the host resolves to an address that is not allowed
	ErrRedirect       = errors.New("revocation: redirect not followed") // the redirect is not allowed
	ErrTimeout        = errors.New("revocation: timeout")               // there was no response in time
	ErrTooLarge       = errors.New("revocation: answer too large")      // the response is longer than allowed
	ErrHTTPStatus     = errors.New("revocation: HTTP status")           // the HTTP status is not a success; see HTTPStatusError
	ErrTransport      = errors.New("revocation: transport")             // the connection failed
	ErrEncoding       = errors.New("revocation: content encoding")      // the body is compressed
	ErrRequest        = errors.New("revocation: wrong request")         // the request is invalid
)

// Is reports whether target is ErrHTTPStatus.
func (e HTTPStatusError) Is(target error) bool { return target == ErrHTTPStatus }

// Error names the status code.
func (e HTTPStatusError) Error() string {
	return fmt.Sprintf("revocation: HTTP status %d", e.Status)
}

// fetchError says where a fetch failed and why. Its text is short and contains only scheme and
// host of the URL: path and query may contain what an attacker or a user wrote.
type fetchError struct {
	text string  // without the name of the package; text from outside is quoted and truncated
	is   []error // the sentinel of the failure itself comes first; what the network reported is not in the text
}

// Error is one line.
func (e *fetchError) Error() string { return packageName + e.text }

// Unwrap returns the sentinels and the cause.
func (e *fetchError) Unwrap() []error { return e.is }

const packageName = "revocation: "

func refuse(class error, format string, args ...any) *fetchError {
	return &fetchError{strings.TrimPrefix(class.Error(), packageName) + ": " + fmt.Sprintf(format, args...), []error{class}}
}

// refusal returns a fetchError with the text of one error, which is also others.
func refusal(err error, also ...error) *fetchError {
	return &fetchError{strings.TrimPrefix(err.Error(), packageName), append([]error{err}, also...)}
}

// The steps for the operator if this package refuses what the CA may have meant.
const (
	helpNets    = "if the CA's responder is on this private network, permit its network in revocation.Config.HTTP.AllowNets, or its name in AllowHosts"
	helpResolve = "let this service resolve public names, or name the CA's responder in revocation.Config.Responders or its CRL in Lists, whose names are left to the proxy"
	helpPorts   = "if the CA's responder listens on this port, permit it in revocation.Config.HTTP.AllowPorts"
)

// refuseUnless is refuse for what an option permits; step says which.
func refuseUnless(step string, class error, format string, args ...any) *fetchError {
	return refusal(advice.New(step, class, format, args...))
}

// refusePanic is deferred for panics of the standard library, which odd hosts have caused (CVE-2026-39836).
func refusePanic(err *error) {
	if p := recover(); p != nil { //nolint:revive // this function is deferred
		*err = refuse(ErrBlockedURL, "panic: %s", logtext.Quote(fmt.Sprint(p)))
	}
}

// located adds where the fetch failed.
func located(where string, err error) error {
	if known, ok := errors.AsType[*fetchError](err); ok {
		known.text = where + ": " + known.text
	}
	return err
}

// redirectedTo adds that a redirect led to the blocked URL or address.
func redirectedTo(err error) error {
	if known, ok := errors.AsType[*fetchError](err); ok && (errors.Is(known, ErrBlockedURL) || errors.Is(known, ErrBlockedAddress)) {
		return &fetchError{strings.TrimPrefix(ErrRedirect.Error(), packageName) + ": " + known.text, append(known.is, ErrRedirect)}
	}
	return err
}

// failure classifies the error of the transport. caller is the context that Fetch was given, own
// the one with the timeout of the fetch.
func failure(caller, own context.Context, err error) error {
	if known, ok := errors.AsType[*fetchError](err); ok {
		return known
	}
	if ended := caller.Err(); ended != nil {
		class := ErrTransport
		if errors.Is(ended, context.DeadlineExceeded) {
			class = ErrTimeout
		}
		return refusal(fmt.Errorf("%w: the caller's context ended", class), ended)
	}
	if own.Err() != nil {
		// No cause, because context.DeadlineExceeded would mean the caller's deadline.
		return refuse(ErrTimeout, "the whole fetch")
	}
	text := describe(err)
	var network net.Error
	switch {
	case errors.As(err, &network) && network.Timeout():
		return refuse(ErrTimeout, "%s", text)
	case strings.Contains(err.Error(), "response headers exceeded"): // net/http has no error value for this
		return refuse(ErrTooLarge, "more than %d bytes of headers", maxHeaderBytes)
	}
	return refusal(fmt.Errorf("%w: %s", ErrTransport, text), err)
}

// describe quotes the text of an error without the URL that it may contain.
func describe(err error) string {
	if withURL, ok := errors.AsType[*url.Error](err); ok {
		err = withURL.Err
	}
	if lookup, ok := errors.AsType[*net.DNSError](err); ok {
		return "lookup: " + logtext.Quote(lookup.Err) // its whole text contains the name, which can be long
	}
	return logtext.Quote(err.Error())
}
