package fetch

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

const (
	maxFieldText  = 256             // bytes of a text that is sent in a header
	maxRetryAfter = 5 * time.Minute // the longest pause that a responder may request
	minMaxAge     = time.Second     // means "not at all", because zero means that there is no bound
	maxDelta      = 1 << 31         // of delta-seconds (RFC 9111, section 1.2.2)
)

// readAnswer reads a response that is not a redirect.
func readAnswer(answer *http.Response, r Request, conditional bool) (Response, error) {
	response := Response{
		ETag:         only(answer.Header["Etag"], isEntityTag),
		LastModified: only(answer.Header["Last-Modified"], isDate),
		MaxAge:       maxAge(answer.Header),
	}
	switch {
	case answer.StatusCode == http.StatusNotModified && conditional:
		response.NotModified = true
		if response.ETag == "" && response.LastModified == "" {
			response.ETag, response.LastModified = only([]string{r.ETag}, isEntityTag), only([]string{r.LastModified}, isDate)
		}
		return response, nil
	case answer.StatusCode != http.StatusOK:
		status := HTTPStatusError{Status: answer.StatusCode, RetryAfter: retryAfter(answer.Header)}
		return Response{}, refusal(fmt.Errorf("%w: %d", ErrHTTPStatus, status.Status), status)
	}
	for _, encoding := range answer.Header["Content-Encoding"] {
		if encoding != "" && !strings.EqualFold(encoding, "identity") {
			return Response{}, refuse(ErrEncoding, "content encoding %s, want none", logtext.Quote(encoding))
		}
	}
	if answer.ContentLength > r.MaxBytes {
		return Response{}, refuse(ErrTooLarge, "%d bytes announced, want at most %d", answer.ContentLength, r.MaxBytes)
	}
	body, err := io.ReadAll(io.LimitReader(&counted{answer.Body, r.Grow}, r.MaxBytes+1))
	if int64(len(body)) > r.MaxBytes {
		return Response{}, refuse(ErrTooLarge, "more than %d bytes", r.MaxBytes)
	}
	if err != nil {
		answer.Body.Close() // nothing is left to read, and the transport of Go 1.27 waits for Close
		return Response{}, err
	}
	response.Body = body
	return response, nil
}

// counted reports the bytes as they arrive, and stops when grow returns an error.
type counted struct {
	io.Reader
	grow func(int) error
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	if c.grow != nil && n > 0 {
		if full := c.grow(n); full != nil {
			return n, full
		}
	}
	return n, err
}

// only returns the value of a header field that has exactly one, in the right form.
func only(values []string, valid func(string) bool) string {
	if len(values) != 1 || !valid(values[0]) {
		return ""
	}
	return values[0]
}

// isFieldText accepts short, printable ASCII.
func isFieldText(s string) bool {
	return len(s) <= maxFieldText && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// isEntityTag accepts one entity-tag (RFC 9110, section 8.8.3). "*" and lists would match
// responses that were never fetched.
func isEntityTag(s string) bool {
	opaque := strings.TrimPrefix(s, "W/")
	if !isFieldText(s) || len(opaque) < 2 || opaque[0] != '"' || opaque[len(opaque)-1] != '"' {
		return false
	}
	return !strings.ContainsAny(opaque[1:len(opaque)-1], `" `)
}

func isDate(s string) bool {
	_, err := http.ParseTime(s)
	return err == nil && isFieldText(s)
}

// maxAge returns the freshness that Cache-Control grants, less the Age of the response (RFC 9111,
// section 4.2). It only ever shortens the life of evidence: of several values the smallest counts;
// no-store, no-cache and an invalid value count as a second. Callers bound how often they ask.
func maxAge(h http.Header) time.Duration {
	least, found := int64(maxDelta), false
	for _, field := range h["Cache-Control"] {
		for directive := range strings.SplitSeq(field, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
			switch strings.ToLower(name) {
			case "no-store", "no-cache":
				least, found = 0, true
			case "max-age":
				seconds, _ := deltaSeconds(strings.Trim(value, `"`))
				least, found = min(least, seconds), true
			}
		}
	}
	if !found {
		return 0
	}
	for _, value := range h["Age"] {
		if age, ok := deltaSeconds(value); ok {
			least -= age
			break
		}
	}
	return max(time.Duration(least)*time.Second, minMaxAge)
}

// deltaSeconds accepts only digits. A number that is too large is maxDelta.
func deltaSeconds(s string) (int64, bool) {
	if strings.Trim(s, "0123456789") != "" { // of a large number ParseUint does not look at the end
		return 0, false
	}
	seconds, err := strconv.ParseUint(s, 10, 32) // the largest if it is out of range
	return min(int64(seconds), maxDelta), err == nil || errors.Is(err, strconv.ErrRange)
}

// retryAfter reads seconds or a date. A date is compared with the response's own Date, because
// both are by the same clock (RFC 9110, section 10.2.3).
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if seconds, ok := deltaSeconds(value); ok {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	until, errUntil := http.ParseTime(value)
	from, errFrom := http.ParseTime(h.Get("Date"))
	if errUntil != nil || errFrom != nil {
		return 0
	}
	return min(max(until.Sub(from), 0), maxRetryAfter)
}
