package certauthtest_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ocsp"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

// served starts a handler and returns its address.
func served(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// exchange sends a request and returns the answer with its body.
func exchange(t *testing.T, method, url string, body []byte, header http.Header) (*http.Response, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	require.NoError(t, err)
	if header != nil {
		request.Header = header
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response, content
}

// asks returns the request that x/crypto writes.
func asks(t *testing.T, cert *x509.Certificate, issuer *certauthtest.CA, hash crypto.Hash) []byte {
	t.Helper()
	der, err := ocsp.CreateRequest(cert, issuer.Certificate, &ocsp.RequestOptions{Hash: hash})
	require.NoError(t, err)
	return der
}

// answered posts the request. x/crypto reads the response and checks the signature, and revocation
// judges it.
func answered(t *testing.T, url string, cert *x509.Certificate, issuer *certauthtest.CA) (*ocsp.Response, revocation.Result) {
	t.Helper()
	response, der := exchange(t, http.MethodPost, url, asks(t, cert, issuer, crypto.SHA1), nil)
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, "application/ocsp-response", response.Header.Get("Content-Type"))
	parsed, err := ocsp.ParseResponseForCert(der, cert, issuer.Certificate)
	require.NoError(t, err)
	result, err := revocation.VerifyOCSP(der, cert, issuer.Certificate, revocation.VerifyOptions{Now: time.Now()})
	require.NoError(t, err)
	return parsed, result
}

func TestResponder_SaysWhatTheCAKnows(t *testing.T) {
	for _, signer := range []string{"the CA", "a delegate"} {
		t.Run("signed by "+signer, func(t *testing.T) {
			ca := certauthtest.NewCA(t, "root")
			responder := certauthtest.NewResponder(t, ca)
			url := served(t, responder)
			var delegate *x509.Certificate
			if signer == "a delegate" {
				delegate = responder.Delegate(t).Certificate
			}
			good, gone, held := ca.Issue(t, "good"), ca.Issue(t, "gone"), ca.Issue(t, "held")
			intermediate := ca.NewIntermediate(t, "issuing").Certificate
			never := certauthtest.SelfSigned(t, "never", func(c *x509.Certificate) { c.Subject = ca.Certificate.Subject }).Certificate
			responder.Revoke(gone.SerialNumber, ocsp.KeyCompromise)
			responder.Revoke(held.SerialNumber, ocsp.CertificateHold)
			for _, tc := range []struct {
				name   string
				cert   *x509.Certificate
				status int
				want   revocation.Status
				reason int
			}{
				{"issued", good.Certificate, ocsp.Good, revocation.Good, -1},
				{"an issued CA", intermediate, ocsp.Good, revocation.Good, -1},
				{"revoked", gone.Certificate, ocsp.Revoked, revocation.Revoked, ocsp.KeyCompromise},
				{"on hold", held.Certificate, ocsp.Revoked, revocation.Revoked, ocsp.CertificateHold},
				{"never issued", never, ocsp.Unknown, revocation.Unknown, -1},
			} {
				t.Run(tc.name, func(t *testing.T) {
					parsed, result := answered(t, url, tc.cert, ca)
					assert.Equal(t, tc.status, parsed.Status)
					assert.Equal(t, tc.want, result.Status)
					assert.Equal(t, tc.reason, result.Reason)
					assert.False(t, result.DelegateUnchecked, "ocsp-nocheck")
					assert.Equal(t, delegate == nil, parsed.Certificate == nil)
					if delegate != nil {
						assert.Equal(t, delegate.Raw, parsed.Certificate.Raw)
					}
					assert.WithinDuration(t, time.Now(), parsed.ThisUpdate, time.Minute)
					assert.WithinDuration(t, time.Now().Add(24*time.Hour), parsed.NextUpdate, time.Minute)
					if tc.status == ocsp.Revoked {
						assert.WithinDuration(t, time.Now(), parsed.RevokedAt, time.Minute)
					}
				})
			}
			responder.Restore(held.SerialNumber)
			_, result := answered(t, url, held.Certificate, ca)
			assert.Equal(t, revocation.Good, result.Status)
		})
	}
}

// An answer about another CA's certificate with the same number would be false.
func TestResponder_DoesNotKnowCertificatesOfOthers(t *testing.T) {
	ca, other := certauthtest.NewCA(t, "root"), certauthtest.NewCA(t, "root")
	ours := ca.Issue(t, "ours")
	theirs := other.Issue(t, "theirs", func(c *x509.Certificate) { c.SerialNumber = ours.SerialNumber })
	responder := certauthtest.NewResponder(t, ca)
	url := served(t, responder)
	for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		for name, want := range map[string]struct {
			cert   *certauthtest.Certificate
			issuer *certauthtest.CA
			status int
		}{"ours": {ours, ca, ocsp.Good}, "theirs": {theirs, other, ocsp.Unknown}} {
			_, der := exchange(t, http.MethodPost, url, asks(t, want.cert.Certificate, want.issuer, hash), nil)
			parsed, err := ocsp.ParseResponse(der, ca.Certificate)
			require.NoError(t, err)
			assert.Equal(t, want.status, parsed.Status, "%s by %s", name, hash)
			assert.Equal(t, hash, parsed.IssuerHash)
		}
	}
}

// RFC 6960, appendix A.1, and the interpretations of clients.
func TestResponder_ReadsGETAndPOST(t *testing.T) {
	// Base64 with a slash, but not two in a row, which the mux would remove. Most of the text comes
	// from the CA's name and key, so each attempt needs another CA.
	var ca *certauthtest.CA
	var leaf *certauthtest.Certificate
	var text string
	for !strings.Contains(text, "/") || strings.Contains(text, "//") {
		ca = certauthtest.NewCA(t, "root")
		leaf = ca.Issue(t, "client")
		text = base64.StdEncoding.EncodeToString(asks(t, leaf.Certificate, ca, crypto.SHA256))
	}
	mux := http.NewServeMux()
	mux.Handle("/ocsp/", certauthtest.NewResponder(t, ca))
	url := served(t, mux) + "/ocsp/"
	escaped := strings.NewReplacer("/", "%2F", "+", "%2B", "=", "%3D").Replace(text)
	der := asks(t, leaf.Certificate, ca, crypto.SHA256)
	for _, tc := range []struct {
		name, method, path string
		body               []byte
		status             int
		refusal            ocsp.ResponseStatus // if the response is not successful
	}{
		{"POST", http.MethodPost, "", der, 200, ocsp.Success},
		{"GET, escaped", http.MethodGet, escaped, nil, 200, ocsp.Success},
		{"GET, slashes as they are", http.MethodGet, text, nil, 200, ocsp.Success},
		{"GET without a request", http.MethodGet, "", nil, 200, ocsp.Malformed},
		{"GET of nonsense", http.MethodGet, "nonsense", nil, 200, ocsp.Malformed},
		{"POST of nothing", http.MethodPost, "", nil, 200, ocsp.Malformed},
		{"POST with a byte more", http.MethodPost, "", append(der[:len(der):len(der)], 0), 200, ocsp.Malformed},
		{"POST of too much", http.MethodPost, "", make([]byte, 64<<10+1), 413, ocsp.Success},
		{"PUT", http.MethodPut, "", der, 405, ocsp.Success},
	} {
		t.Run(tc.name, func(t *testing.T) {
			response, content := exchange(t, tc.method, url+tc.path, tc.body, nil)
			require.Equal(t, tc.status, response.StatusCode)
			if tc.status != http.StatusOK {
				return
			}
			parsed, err := ocsp.ParseResponseForCert(content, leaf.Certificate, ca.Certificate)
			if tc.refusal == ocsp.Success {
				require.NoError(t, err)
				assert.Equal(t, ocsp.Good, parsed.Status)
				return
			}
			var refused ocsp.ResponseError
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, tc.refusal, refused.Status)
		})
	}
}

// loopback is a revocation.Fetcher that accepts every address.
type loopback struct{ t *testing.T }

func (l loopback) Fetch(_ context.Context, r revocation.Request) (revocation.Response, error) {
	_, body := exchange(l.t, r.Method, r.URL, r.Body, nil)
	return revocation.Response{Body: body}, nil
}

// RFC 9654: a client that requires its nonce gets a usable answer.
func TestResponder_EchoesTheNonce(t *testing.T) {
	ca := certauthtest.NewCA(t, "root")
	leaf := ca.Issue(t, "client", certauthtest.OCSPAt(served(t, certauthtest.NewResponder(t, ca))))
	checker, err := revocation.New(revocation.Config{Fetcher: loopback{t}, Verify: revocation.VerifyOptions{NonceMode: revocation.NonceRequire}})
	require.NoError(t, err)
	defer func() { assert.NoError(t, checker.Close()) }()
	found, err := checker.CheckChain(t.Context(), []*x509.Certificate{leaf.Certificate, ca.Certificate})
	require.NoError(t, err)
	assert.Equal(t, certauth.RevocationGood, found.Status)
}

// Each fault produces what its comment says, and revocation.VerifyOCSP finds no evidence in it.
func TestResponder_Faults(t *testing.T) {
	ca := certauthtest.NewCA(t, "root")
	responder := certauthtest.NewResponder(t, ca)
	leaf, url := ca.Issue(t, "client"), served(t, responder)
	question := asks(t, leaf.Certificate, ca, crypto.SHA1)
	for _, tc := range []struct {
		name  string
		spoil func()
		http  int
		err   error
	}{
		{"down", func() { responder.SetFault(certauthtest.Down) }, http.StatusServiceUnavailable, nil},
		{"garbage", func() { responder.SetFault(certauthtest.Garbage) }, http.StatusOK, revocation.ErrMalformed},
		{"forged", func() { responder.SetFault(certauthtest.Forged) }, http.StatusOK, revocation.ErrBadSignature},
		{"forged, with a delegate", func() { responder.Delegate(t) }, http.StatusOK, revocation.ErrBadSignature},
		{"signed by a delegate without the purpose", func() {
			responder.SetFault(certauthtest.Healthy)
			responder.Delegate(t, certauthtest.Usage(x509.ExtKeyUsageClientAuth))
		}, http.StatusOK, evidence.ErrResponderNotAuthorized},
		{"run out", func() { responder.Delegate(t); responder.SetValidity(2*time.Hour, -time.Hour) }, http.StatusOK, revocation.ErrNotFresh},
		{"healthy again", func() { responder.SetValidity(0, time.Hour) }, http.StatusOK, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.spoil()
			response, der := exchange(t, http.MethodPost, url, question, nil)
			require.Equal(t, tc.http, response.StatusCode)
			if tc.http == http.StatusOK {
				_, err := revocation.VerifyOCSP(der, leaf.Certificate, ca.Certificate, revocation.VerifyOptions{Now: time.Now()})
				assert.ErrorIs(t, err, tc.err)
			}
		})
	}
}

// Both hang until the client gives up, whatever it sends, and then end.
func TestFault_HangingEndsWithTheRequest(t *testing.T) {
	ca := certauthtest.NewCA(t, "root")
	responder, list := certauthtest.NewResponder(t, ca), certauthtest.NewCRLServer(t, ca)
	responder.SetFault(certauthtest.Hanging)
	list.SetFault(certauthtest.Hanging)
	for _, handler := range []http.Handler{responder, list} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			arrived := make(chan struct{})
			url := served(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				close(arrived)
				handler.ServeHTTP(w, r)
			}))
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-arrived; cancel() }()
			request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader("a body"))
			require.NoError(t, err)
			_, err = http.DefaultClient.Do(request) // and the server's Close waits for the handler
			assert.ErrorIs(t, err, context.Canceled)
		}
	}
}

// The clock determines all dates of an answer.
func TestResponder_ClockDatesAnswers(t *testing.T) {
	ca := certauthtest.NewCA(t, "root")
	leaf := ca.Issue(t, "client")
	responder := certauthtest.NewResponder(t, ca)
	at := time.Now().Add(30 * 24 * time.Hour).UTC().Truncate(time.Second)
	responder.SetClock(func() time.Time { return at })
	responder.SetValidity(time.Hour, 2*time.Hour)
	responder.Revoke(leaf.SerialNumber, ocsp.Superseded)
	_, der := exchange(t, http.MethodPost, served(t, responder), asks(t, leaf.Certificate, ca, crypto.SHA1), nil)
	result, err := revocation.VerifyOCSP(der, leaf.Certificate, ca.Certificate, revocation.VerifyOptions{Now: at, Skew: -1})
	require.NoError(t, err)
	assert.Equal(t, []time.Time{at, at.Add(-time.Hour), at.Add(2 * time.Hour), at},
		[]time.Time{result.ProducedAt.UTC(), result.ThisUpdate.UTC(), result.NextUpdate.UTC(), result.RevokedAt.UTC()})
}

// This test is for the race detector.
func TestResponder_ConcurrentUse(t *testing.T) {
	ca := certauthtest.NewCA(t, "root")
	responder, list := certauthtest.NewResponder(t, ca), certauthtest.NewCRLServer(t, ca)
	leaf, ocspAt, crlAt := ca.Issue(t, "client"), served(t, responder), served(t, list)
	question := asks(t, leaf.Certificate, ca, crypto.SHA1)
	var all sync.WaitGroup
	for range 4 {
		for _, f := range []func(){
			func() { ca.Issue(t, "another") },
			func() { responder.Revoke(leaf.SerialNumber, 1); list.Revoke(leaf.SerialNumber, 1) },
			func() { responder.Restore(leaf.SerialNumber); list.Restore(leaf.SerialNumber) },
			func() { responder.Delegate(t); responder.SetClock(time.Now); responder.SetFault(certauthtest.Healthy) },
			func() { list.Publish(); list.SetValidity(0, time.Hour) },
			func() { _, _ = http.Post(ocspAt, "application/ocsp-request", bytes.NewReader(question)) },
			func() { _, _ = http.Get(crlAt) },
		} {
			all.Go(func() {
				for range 10 {
					f()
				}
			})
		}
	}
	all.Wait()
}

// Changing the number afterwards does not change which certificate is revoked.
func TestResponder_KeepsItsOwnCopyOfASerialNumber(t *testing.T) {
	ca := certauthtest.NewCA(t, "root")
	leaf, list := ca.Issue(t, "client"), certauthtest.NewCRLServer(t, ca)
	serial := new(big.Int).Set(leaf.SerialNumber)
	list.Revoke(serial, 1)
	serial.SetInt64(7)
	der, err := list.CRL()
	require.NoError(t, err)
	parsed, err := x509.ParseRevocationList(der)
	require.NoError(t, err)
	require.Len(t, parsed.RevokedCertificateEntries, 1)
	assert.Equal(t, leaf.SerialNumber, parsed.RevokedCertificateEntries[0].SerialNumber)
}
