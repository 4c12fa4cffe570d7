package certauth_test

import (
	"bufio"
	"crypto/x509"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// pinOfNobody is a well-formed SHA-256 that no certificate has.
const pinOfNobody = "abababababababababababababababababababababababababababababababab"

// fixedSource returns the same certificates for every request.
func fixedSource(name string, certs ...*x509.Certificate) certauth.Source {
	return certauth.SourceFunc{Name: name, Func: func(*http.Request) ([]*x509.Certificate, error) { return certs, nil }}
}

// headerSource returns its certificate for requests with the header X-Client-Cert.
type headerSource struct{ cert *x509.Certificate }

func (s headerSource) Prepare(env source.Environment) (*source.Reader, error) {
	return certauth.SourceFunc{Name: "header", Headers: []string{"X-Client-Cert"}, Func: func(r *http.Request) ([]*x509.Certificate, error) {
		if len(r.Header["X-Client-Cert"]) == 0 {
			return nil, nil
		}
		return []*x509.Certificate{s.cert}, nil
	}}.Prepare(env)
}

// rawStatus sends the bytes unchanged and returns the status of the answer.
func rawStatus(t *testing.T, address, request string) int {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = conn.Write([]byte(request))
	require.NoError(t, err)
	method, _, _ := strings.Cut(request, " ")
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}
