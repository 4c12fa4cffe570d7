package revocation_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// Section 4, rule Q1, and RFC 6960, section 4.1.1: one CertID, with the chosen hash.
func TestChecker_RequestNamesTheIssuerByTheChosenHash(t *testing.T) {
	for _, c := range []struct {
		name   string
		config crypto.Hash
		want   crypto.Hash
	}{
		{"Q1 SHA-1 unless told otherwise", 0, crypto.SHA1},
		{"Q1 SHA-256", crypto.SHA256, crypto.SHA256},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := wire(t)
			_, err := w.check(t, w.checker(t, leafOnly, func(config *revocation.Config) { config.CertIDHash = c.config }))
			require.NoError(t, err)
			require.Equal(t, 1, w.net.total())
			id := ocsptest.IDOf(c.want, w.ca.cert, w.client.cert.SerialNumber)
			question := parseRequest(t, w.net.last())
			assert.Equal(t, c.want, question.HashAlgorithm)
			assert.Equal(t, id.NameHash, question.IssuerNameHash)
			assert.Equal(t, id.KeyHash, question.IssuerKeyHash)
			assert.Zero(t, w.client.cert.SerialNumber.Cmp(question.SerialNumber))
		})
	}
}

// Rule Q3: RFC 6960, appendix A.1, and RFC 5019, section 5.
func TestChecker_GETAppendsTheRequestToTheResponder(t *testing.T) {
	long := "http://ocsp.partner.example/" + strings.Repeat("a", 200)
	for _, c := range []struct {
		name, responder, before, after string
	}{
		{"Q3 a bare host", "http://ocsp.partner.example", "http://ocsp.partner.example/", ""},
		{"Q3 a slash at the end is not doubled", "http://ocsp.partner.example/", "http://ocsp.partner.example/", ""},
		{"Q3 a path", "http://ocsp.partner.example/ca/one", "http://ocsp.partner.example/ca/one/", ""},
		{"Q3 a path with a slash", "http://ocsp.partner.example/ca/one/", "http://ocsp.partner.example/ca/one/", ""},
		{"Q3 an escaped path stays escaped", "http://ocsp.partner.example/a%2Fb%20c", "http://ocsp.partner.example/a%2Fb%20c/", ""},
		{"Q3 the query is kept", "http://ocsp.partner.example/ca?tenant=a%26b&x=1", "http://ocsp.partner.example/ca/", "?tenant=a%26b&x=1"},
		{"Q3 a port", "http://ocsp.partner.example:8080/ca", "http://ocsp.partner.example:8080/ca/", ""},
		{"Q3 more than 255 bytes are sent as POST", long, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := wire(t)
			client := w.issue(t, "at "+c.responder, func(cert *x509.Certificate) { cert.OCSPServer = []string{c.responder} })
			_, err := w.checker(t, leafOnly).CheckChain(t.Context(), w.chain(client))
			require.NoError(t, err)
			r := w.net.last()
			assert.Equal(t, fetch.OCSP, r.Kind)
			assert.False(t, r.Configured, "a URL in a certificate must not lead to an internal address")
			assert.Equal(t, int64(64<<10), r.MaxBytes)
			if c.before == "" {
				assert.Equal(t, http.MethodPost, r.Method)
				assert.Equal(t, c.responder, r.URL)
				return
			}
			require.Equal(t, http.MethodGet, r.Method)
			assert.Empty(t, r.Body)
			assert.LessOrEqual(t, len(r.URL), 255)
			text, ok := strings.CutPrefix(r.URL, c.before)
			require.True(t, ok, r.URL)
			text, ok = strings.CutSuffix(text, c.after)
			require.True(t, ok, r.URL)
			assert.NotContains(t, text, "/", "escaped")
			assert.NotContains(t, text, "+", "escaped")
			assert.NotContains(t, text, "=", "escaped")
			plain, err := url.PathUnescape(text)
			require.NoError(t, err)
			_, err = base64.StdEncoding.DecodeString(plain)
			require.NoError(t, err)
		})
	}
}

// A URL of exactly the permitted length is requested with GET, one of a byte more with POST.
func TestChecker_GETIsAtMost255Bytes(t *testing.T) {
	w := wire(t)
	get := func(path string) revocation.Request {
		client := w.issue(t, "long "+path, func(c *x509.Certificate) {
			c.OCSPServer, c.SerialNumber = []string{ocspURL + "/" + path}, w.client.cert.SerialNumber
		})
		_, err := w.checker(t, leafOnly).CheckChain(t.Context(), w.chain(client))
		require.NoError(t, err)
		return w.net.last()
	}
	shortest := len(get("a").URL)
	for length, method := range map[int]string{254: http.MethodGet, 255: http.MethodGet, 256: http.MethodPost} {
		r := get(strings.Repeat("a", 1+length-shortest))
		assert.Equal(t, method, r.Method, "%d bytes", length)
		if method == http.MethodGet {
			assert.Len(t, r.URL, length)
		}
	}
}

// requestParts parses a request and returns whether it is signed, and its nonce.
func requestParts(t testing.TB, r revocation.Request) (signed bool, nonce []byte) {
	t.Helper()
	s := cryptobyte.String(r.Body)
	var request, tbs, explicit, list, skip, one, value cryptobyte.String
	require.True(t, s.ReadASN1(&request, cbasn1.SEQUENCE) && s.Empty() && request.ReadASN1(&tbs, cbasn1.SEQUENCE))
	signed = !request.Empty()
	require.True(t, tbs.ReadASN1(&skip, cbasn1.SEQUENCE), "the requestList is first: no version, no requestorName")
	if tbs.Empty() {
		return signed, nil
	}
	require.True(t, tbs.ReadASN1(&explicit, cbasn1.Tag(2).Constructed().ContextSpecific()) && tbs.Empty())
	require.True(t, explicit.ReadASN1(&list, cbasn1.SEQUENCE) && explicit.Empty() && list.ReadASN1(&one, cbasn1.SEQUENCE) && list.Empty())
	require.True(t, one.ReadASN1Element(&skip, cbasn1.OBJECT_IDENTIFIER))
	require.Equal(t, ocsptest.OID(ocsptest.OIDNonce), []byte(skip))
	require.True(t, one.ReadASN1(&value, cbasn1.OCTET_STRING) && one.Empty(), "not critical")
	var inner cryptobyte.String
	require.True(t, value.ReadASN1(&inner, cbasn1.OCTET_STRING) && value.Empty(), "RFC 9654, section 2.1: a nested octet string")
	return signed, inner
}

// Rules Q2 and Q5, cases 40 to 44.
func TestChecker_Nonces(t *testing.T) {
	echo := func(nonce []byte) []ocsptest.Extension {
		return []ocsptest.Extension{{OID: ocsptest.OIDNonce, Value: ocsptest.Element(ocsptest.TagOctetString, nonce)}}
	}
	type answer func(t *testing.T, r revocation.Request) []ocsptest.Extension
	same := func(t *testing.T, r revocation.Request) []ocsptest.Extension {
		_, nonce := requestParts(t, r)
		return echo(nonce)
	}
	other := func(*testing.T, revocation.Request) []ocsptest.Extension { return echo(make([]byte, 32)) }
	longer := func(t *testing.T, r revocation.Request) []ocsptest.Extension {
		_, nonce := requestParts(t, r)
		return echo(append(append([]byte(nil), nonce...), 0))
	}
	absent := func(*testing.T, revocation.Request) []ocsptest.Extension { return nil }
	off, send, require32 := revocation.NonceOff, revocation.NonceSend, revocation.NonceRequire
	for _, c := range []struct {
		name   string
		mode   revocation.NonceMode
		answer answer
		good   bool
	}{
		{"case 40 another nonce, Send", send, other, false},
		{"case 40 another nonce, Require", require32, other, false},
		{"case 41 none comes back, Off", off, absent, true},
		{"case 41 none comes back, Send", send, absent, true},
		{"case 41 none comes back, Require", require32, absent, false},
		{"Q2 it comes back, Send", send, same, true},
		{"Q2 it comes back, Require", require32, same, true},
		{"case 42 with a byte more, Send", send, longer, false},
		{"Q2 unsolicited, Off", off, other, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := wire(t)
			w.net.serve(ocspURL, w.answering(t, ocsptest.StatusGood, func(r revocation.Request, response *ocsptest.Response) {
				response.Extensions = c.answer(t, r)
			}))
			checker := w.checker(t, leafOnly, sources(revocation.OCSPOnly), nonces(c.mode))
			_, err := w.check(t, checker)
			if c.good {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, evidence.ErrNonce)
				assert.Equal(t, uint64(1), checker.Stats().Suspicious)
			}
			require.Equal(t, 1, w.net.total(), "a wrong nonce causes no second request")
			if c.mode == off {
				assert.Equal(t, http.MethodGet, w.net.last().Method)
				return
			}
			assert.Equal(t, http.MethodPost, w.net.last().Method, "an answer with a nonce must not be cached on the way")
			signed, nonce := requestParts(t, w.net.last())
			assert.False(t, signed, "Q5")
			assert.Len(t, nonce, 32)
		})
	}
}

func nonces(mode revocation.NonceMode) func(*revocation.Config) {
	return func(c *revocation.Config) { c.Verify.NonceMode = mode }
}

// Case 44: an authentic answer to another request, replayed.
func TestChecker_NonceOfAnotherRequestIsRefused(t *testing.T) {
	w := wire(t)
	var kept []byte
	seen := map[string]bool{}
	honest := w.answering(t, ocsptest.StatusGood, func(r revocation.Request, response *ocsptest.Response) {
		_, nonce := requestParts(t, r)
		assert.False(t, seen[string(nonce)], "a nonce is used once")
		seen[string(nonce)] = true
		response.Extensions = []ocsptest.Extension{{OID: ocsptest.OIDNonce, Value: ocsptest.Element(ocsptest.TagOctetString, nonce)}}
	})
	w.net.serve(ocspURL, func(ctx context.Context, r revocation.Request) (revocation.Response, error) {
		response, err := honest(ctx, r)
		kept = response.Body
		return response, err
	})
	config := both(leafOnly, sources(revocation.OCSPOnly), nonces(revocation.NonceRequire))
	_, err := w.check(t, w.checker(t, config))
	require.NoError(t, err)
	_, err = w.check(t, w.checker(t, config))
	require.NoError(t, err)
	w.net.serve(ocspURL, body(kept))
	found, err := w.check(t, w.checker(t, config))
	require.ErrorIs(t, err, evidence.ErrNonce)
	assert.Equal(t, certauth.RevocationUnavailable, found.Status)
}

// Q5, for a request without any other extension.
func TestChecker_RequestsAreNotSigned(t *testing.T) {
	w := wire(t)
	w.net.serve(ocspURL, byMethod(failing(fetch.HTTPStatusError{Status: 404}), w.responder(t, ocsptest.StatusGood)))
	_, err := w.check(t, w.checker(t, leafOnly))
	require.NoError(t, err)
	signed, nonce := requestParts(t, w.net.last())
	assert.False(t, signed)
	assert.Nil(t, nonce)
}

// Cases 55 and 56, rules Q3 and F10: which requests are made a second time, and none a third time.
//
// finding C15: a GET that was answered by malformedRequest, unauthorized, or another certificate's
// answer was not followed by a POST.
func TestChecker_AsksAResponderTwiceAtMost(t *testing.T) {
	good := func(t *testing.T, w *wired) handler { return w.responder(t, ocsptest.StatusGood) }
	status := func(code int) func(*testing.T, *wired) handler {
		return as(failing(fetch.HTTPStatusError{Status: code}))
	}
	refuses := func(code byte) func(*testing.T, *wired) handler {
		return func(t *testing.T, _ *wired) handler { return refusing(t, code) }
	}
	html := as(body([]byte("<!DOCTYPE html><title>Sign in</title>")))
	forged := func(t *testing.T, w *wired) handler {
		return w.answering(t, ocsptest.StatusGood, func(_ revocation.Request, r *ocsptest.Response) { r.Key = w.other.key })
	}
	another := func(t *testing.T, w *wired) handler {
		return w.answering(t, ocsptest.StatusGood, func(_ revocation.Request, r *ocsptest.Response) {
			r.Answers[0].ID = ocsptest.IDOf(crypto.SHA1, w.ca.cert, w.other.cert.SerialNumber)
		})
	}
	over := func(t *testing.T, w *wired) handler {
		return w.dated(t, ocsptest.StatusGood, now.Add(-2*day), now.Add(-day))
	}
	revoked := func(t *testing.T, w *wired) handler { return w.responder(t, revokedAt(now.Add(-day), 1)) }
	for _, c := range []struct {
		name          string
		first, second func(*testing.T, *wired) handler
		requests      int
		err           error
	}{
		{"case 55 GET 404, then POST good", status(404), good, 2, nil},
		{"case 55 GET 405, then POST good", status(405), good, 2, nil},
		{"case 55 GET 500, then POST good", status(500), good, 2, nil},
		{"case 55 GET HTML, then POST good", html, good, 2, nil},
		{"case 54 GET and POST HTML", html, html, 2, revocation.ErrMalformed},
		{"case 54 an empty body", as(body(nil)), as(body(nil)), 2, revocation.ErrMalformed},
		{"case 54 JSON", as(body([]byte(`{"error":"x"}`))), html, 2, revocation.ErrMalformed},
		{"case 56 tryLater, then good", refuses(3), good, 2, nil},
		{"case 56 internalError, then good", refuses(2), good, 2, nil},
		{"case 56 tryLater for ever", refuses(3), refuses(3), 2, revocation.ErrResponderStatus},
		{"case 55 GET 404, then POST tryLater: no third", status(404), refuses(3), 2, revocation.ErrResponderStatus},
		{"case 56 tryLater, then 404: no third", refuses(3), status(404), 2, revocation.ErrHTTPStatus},
		{"case 46 malformedRequest, then POST good", refuses(1), good, 2, nil},
		{"case 46 malformedRequest for ever", refuses(1), refuses(1), 2, revocation.ErrResponderStatus},
		{"case 46 status 4 is final", refuses(4), good, 1, revocation.ErrResponderStatus},
		{"case 46 sigRequired is final", refuses(5), good, 1, revocation.ErrResponderStatus},
		{"case 46 unauthorized, then POST good", refuses(6), good, 2, nil},
		{"case 46 unauthorized for ever", refuses(6), refuses(6), 2, revocation.ErrResponderStatus},
		{"case 20 GET answered about another certificate, then POST good", another, good, 2, nil},
		{"case 20 about another certificate for ever", another, another, 2, evidence.ErrNoMatch},
		{"case 32 GET answered by what has run out, then POST good", over, good, 2, nil},
		{"case 32 GET answered by what has run out, then POST revoked", over, revoked, 2, nil},
		{"case 46 status 17 is final", refuses(17), good, 1, revocation.ErrResponderStatus},
		{"a forged answer is not asked for again", forged, good, 1, revocation.ErrBadSignature},
		{"no connection is not tried again", as(failing(revocation.ErrTransport)), good, 1, revocation.ErrTransport},
		{"nor is what took too long", as(failing(revocation.ErrTimeout)), good, 1, revocation.ErrTimeout},
		{"case 57 nor is what is too large", as(failing(revocation.ErrTooLarge)), good, 1, revocation.ErrTooLarge},
		{"case 61 nor what leads elsewhere", as(failing(fetch.ErrRedirect)), good, 1, fetch.ErrRedirect},
		{"case 63 nor what is not allowed", as(failing(revocation.ErrBlockedURL)), good, 1, revocation.ErrBlockedURL},
		{"case 62 nor where it may not lead", as(failing(revocation.ErrBlockedAddress)), good, 1, revocation.ErrBlockedAddress},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := wire(t)
			w.net.serve(ocspURL, inTurn(c.first(t, w), c.second(t, w)))
			found, err := w.check(t, w.checker(t, leafOnly, sources(revocation.OCSPOnly)))
			if c.err == nil {
				require.NoError(t, err)
				want := certauth.RevocationGood
				if strings.HasSuffix(c.name, "revoked") {
					want = certauth.RevocationRevoked
				}
				assert.Equal(t, want, found.Status)
			} else {
				require.ErrorIs(t, err, c.err)
				assert.Equal(t, certauth.Revocation{}, found)
			}
			requests := w.net.requests()
			require.Len(t, requests, c.requests)
			if c.requests == 2 {
				assert.Equal(t, http.MethodGet, requests[0].Method)
				assert.Equal(t, http.MethodPost, requests[1].Method)
			}
		})
	}
}
