package fetch

import (
	"bytes"
	"context"
	"net/http"
	"strings"
)

// hop makes one request. It returns the response, or where a redirect leads if one more is
// allowed.
//
// A body that is not read to its end is not closed; its connection ends with the context. Close
// would read on: since Go 1.27 it reads up to 256 KiB from the socket so that the connection can
// be used again, sometimes even after the context has ended.
func (f *HTTPFetcher) hop(ctx context.Context, t *target, r Request, redirects int) (Response, *target, error) {
	ctx, cut := context.WithCancel(ctx)
	defer cut()
	if err := f.admit(ctx, t); err != nil {
		return Response{}, nil, err
	}
	request, err := http.NewRequestWithContext(ctx, r.Method, t.url.String(), bytes.NewReader(r.Body))
	if err != nil {
		return Response{}, nil, refuse(ErrBlockedURL, "%s", describe(err))
	}
	conditional := f.setHeader(request.Header, r)
	transport := f.strict
	if t.configured {
		transport = f.configured
	}
	answer, err := transport.RoundTrip(request) // not http.Client, which adds cookies and Referer and follows redirects
	if err != nil {
		return Response{}, nil, err
	}
	switch answer.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		next, err := f.redirect(answer, t, redirects)
		return Response{}, next, err
	}
	response, err := readAnswer(answer, r, conditional)
	return response, nil, err
}

// admit checks a host to which a proxy connects, because that hides its addresses from the guard.
func (f *HTTPFetcher) admit(ctx context.Context, t *target) error {
	if f.options.Proxy == nil || t.configured && !t.literal.IsValid() {
		return nil
	}
	return f.guard.admitName(ctx, t.host, f.guard.reachOf(t.host, t.configured))
}

// setHeader reports whether the request is conditional.
func (f *HTTPFetcher) setHeader(h http.Header, r Request) bool {
	h.Set("User-Agent", f.options.UserAgent)
	h.Set("Accept-Encoding", "identity") // without the field a server may compress (RFC 9110, section 12.5.3)
	if r.Method == http.MethodPost {
		// Not sent. It tells the transport that the request can be repeated, so that a connection
		// that the responder has closed meanwhile is replaced.
		h["Idempotency-Key"] = nil
	}
	if r.Kind == OCSP {
		h.Set("Accept", "application/ocsp-response")
		if r.Method == http.MethodPost {
			h.Set("Content-Type", "application/ocsp-request")
		}
		return false
	}
	h.Set("Accept", "application/pkix-crl, */*;q=0.5") // whatever the server calls it
	if isEntityTag(r.ETag) {
		h.Set("If-None-Match", r.ETag)
	}
	if isDate(r.LastModified) {
		h.Set("If-Modified-Since", r.LastModified)
	}
	return h.Get("If-None-Match") != "" || h.Get("If-Modified-Since") != ""
}

// redirect returns where the response leads. The operator configured only the first URL, so a
// redirect is checked like a URL in a certificate unless it stays at the configured origin.
func (f *HTTPFetcher) redirect(answer *http.Response, t *target, redirects int) (*target, error) {
	locations := answer.Header["Location"]
	switch {
	case redirects <= 0:
		return nil, refuse(ErrRedirect, "status %d, one too many", answer.StatusCode)
	case len(locations) != 1 || locations[0] == "":
		return nil, refuse(ErrRedirect, "status %d with %d locations", answer.StatusCode, len(locations))
	}
	next, err := f.resolve(t, locations[0])
	if err != nil {
		return nil, redirectedTo(err)
	}
	if t.url.Scheme == "https" && next.url.Scheme != "https" {
		return nil, refuse(ErrRedirect, "from https to http")
	}
	return next, nil
}

// resolve reads a location, which may be relative (RFC 9110, section 10.2.2).
func (f *HTTPFetcher) resolve(t *target, location string) (*target, error) {
	if err := checkCharacters(location); err != nil { // net/url would escape some of them
		return nil, err
	}
	u, err := t.url.Parse(location)
	if err != nil {
		return nil, refuse(ErrBlockedURL, "%s", describe(err))
	}
	sameOrigin := u.Scheme == t.url.Scheme && strings.EqualFold(u.Hostname(), t.host) && portOf(u) == portOf(t.url)
	return checkURL(u.String(), t.configured && sameOrigin, f.options.AllowPorts)
}
