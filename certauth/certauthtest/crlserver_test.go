package certauthtest_test

import (
	"crypto/x509"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// fetched downloads the list, and crypto/x509 reads it and checks its signature.
func fetched(t *testing.T, url string, ca *certauthtest.CA) (*x509.RevocationList, []byte) {
	t.Helper()
	response, der := exchange(t, http.MethodGet, url, nil, nil)
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, "application/pkix-crl", response.Header.Get("Content-Type"))
	list, err := x509.ParseRevocationList(der)
	require.NoError(t, err)
	require.NoError(t, list.CheckSignatureFrom(ca.Certificate))
	return list, der
}

func TestCRLServer_ListsWhatIsRevoked(t *testing.T) {
	root := certauthtest.NewCA(t, "root")
	for name, ca := range map[string]*certauthtest.CA{"of a root": root, "of an intermediate": root.NewIntermediate(t, "issuing")} {
		t.Run(name, func(t *testing.T) {
			server := certauthtest.NewCRLServer(t, ca)
			url := served(t, server)
			good, gone, held := ca.Issue(t, "good", certauthtest.CRLAt(url)), ca.Issue(t, "gone", certauthtest.CRLAt(url)), ca.Issue(t, "held", certauthtest.CRLAt(url))
			list, _ := fetched(t, url, ca)
			assert.Empty(t, list.RevokedCertificateEntries)
			assert.Equal(t, int64(1), list.Number.Int64())
			server.Revoke(gone.SerialNumber, 1)
			server.Revoke(held.SerialNumber, 6)
			list, der := fetched(t, url, ca)
			require.Len(t, list.RevokedCertificateEntries, 2)
			assert.Equal(t, int64(2), list.Number.Int64())
			assert.WithinDuration(t, time.Now(), list.ThisUpdate, time.Minute)
			assert.WithinDuration(t, time.Now().Add(24*time.Hour), list.NextUpdate, time.Minute)
			assert.WithinDuration(t, time.Now(), list.RevokedCertificateEntries[0].RevocationTime, time.Minute)
			for cert, want := range map[*certauthtest.Certificate]revocation.Status{good: revocation.Good, gone: revocation.Revoked, held: revocation.Revoked} {
				result, err := revocation.VerifyCRL(der, cert.Certificate, ca.Certificate, revocation.VerifyOptions{Now: time.Now()})
				require.NoError(t, err)
				assert.Equal(t, want, result.Status, cert.Subject.CommonName)
			}
			server.Restore(held.SerialNumber)
			_, der = fetched(t, url, ca)
			result, err := revocation.VerifyCRL(der, held.Certificate, ca.Certificate, revocation.VerifyOptions{Now: time.Now()})
			require.NoError(t, err)
			assert.Equal(t, revocation.Good, result.Status)
		})
	}
}

// RFC 9110, section 13: a client that has the current list, and no other, gets 304.
func TestCRLServer_AnswersConditions(t *testing.T) {
	ca := certauthtest.NewCA(t, "root")
	server := certauthtest.NewCRLServer(t, ca)
	at := time.Now().Truncate(time.Second)
	server.SetClock(func() time.Time { return at })
	url := served(t, server)
	first, der := exchange(t, http.MethodGet, url, nil, nil)
	tag, modified := first.Header.Get("ETag"), first.Header.Get("Last-Modified")
	require.NotEmpty(t, tag)
	require.NotEmpty(t, modified)
	conditions := map[string]http.Header{"by ETag": {"If-None-Match": {tag}}, "by date": {"If-Modified-Since": {modified}}}
	for name, header := range conditions {
		response, body := exchange(t, http.MethodGet, url, nil, header)
		assert.Equal(t, http.StatusNotModified, response.StatusCode, name)
		assert.Empty(t, body, name)
	}
	_, again := exchange(t, http.MethodGet, url, nil, nil)
	assert.Equal(t, der, again, "the same list is served")
	server.Publish() // within the same second
	for name, header := range conditions {
		response, body := exchange(t, http.MethodGet, url, nil, header)
		assert.Equal(t, http.StatusOK, response.StatusCode, name)
		list, err := x509.ParseRevocationList(body)
		require.NoError(t, err)
		assert.Equal(t, int64(2), list.Number.Int64(), name)
	}
}

func TestCRLServer_Faults(t *testing.T) {
	ca := certauthtest.NewCA(t, "root")
	server := certauthtest.NewCRLServer(t, ca)
	leaf, url := ca.Issue(t, "client"), served(t, server)
	for _, tc := range []struct {
		name   string
		method string
		spoil  func()
		http   int
		err    error
	}{
		{"down", http.MethodGet, func() { server.SetFault(certauthtest.Down) }, http.StatusServiceUnavailable, nil},
		{"garbage", http.MethodGet, func() { server.SetFault(certauthtest.Garbage) }, http.StatusOK, revocation.ErrMalformed},
		{"forged", http.MethodGet, func() { server.SetFault(certauthtest.Forged) }, http.StatusOK, revocation.ErrBadSignature},
		{"run out", http.MethodGet, func() { server.SetFault(certauthtest.Healthy); server.SetValidity(2*time.Hour, -time.Hour) }, http.StatusOK, revocation.ErrNotFresh},
		{"dates that no list can have", http.MethodGet, func() { server.SetValidity(0, -time.Hour) }, http.StatusInternalServerError, nil},
		{"healthy again", http.MethodGet, func() { server.SetValidity(0, time.Hour) }, http.StatusOK, nil},
		{"a POST", http.MethodPost, func() {}, http.StatusMethodNotAllowed, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.spoil()
			response, der := exchange(t, tc.method, url, nil, nil)
			require.Equal(t, tc.http, response.StatusCode)
			_, err := server.CRL()
			assert.Equal(t, tc.http == http.StatusInternalServerError, err != nil)
			if tc.http == http.StatusOK {
				_, err := revocation.VerifyCRL(der, leaf.Certificate, ca.Certificate, revocation.VerifyOptions{Now: time.Now()})
				assert.ErrorIs(t, err, tc.err)
			}
		})
	}
}
