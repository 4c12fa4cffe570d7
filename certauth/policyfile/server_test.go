package policyfile_test

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
)

// finding N75: an Authenticator of a document had no ConfigureServer, so that a service whose policy moved into a document
// lost what it does: a server whose framework replaced its handler accepted every request, and net/http answered "OPTIONS *".
func TestConfigureServer_EveryRequestIsJudgedByTheDocumentInUse(t *testing.T) {
	f := newFolder(t)
	document := func(ca string) string {
		return `{"source": {"header": {"from": {"peers": ["127.0.0.1"]}, "name": "X-Cert", "format": "base64DER"}}, "policy": {"named": {"name": "` + ca + `", "policy": {"chain": {"roots": {"pemFile": "` + ca + `.pem"}}}}}}`
	}
	auth := open(t, f.write("policy.json", document("a")), certauth.Config{})
	server := httptest.NewUnstartedServer(roles)
	require.NoError(t, auth.ConfigureServer(server.Config))
	assert.Equal(t, 10*time.Second, server.Config.ReadHeaderTimeout)
	server.Start()
	t.Cleanup(server.Close)
	ask := func(method, target, certificate string) (int, string) {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		require.NoError(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, method+" "+target+" HTTP/1.0\r\nHost: a\r\nX-Cert: "+certificate+"\r\n\r\n")
		require.NoError(t, err)
		answer, err := io.ReadAll(conn)
		require.NoError(t, err)
		return int(answer[9]-'0')*100 + int(answer[10]-'0')*10 + int(answer[11]-'0'), string(answer)
	}
	for _, ca := range []string{"a", "b"} {
		f.write("policy.json", document(ca))
		require.NoError(t, auth.Reload(t.Context()))
		known := map[string]string{"a": f.clientA.Base64(), "b": f.clientB.Base64()}
		status, answer := ask("GET", "/", known[ca])
		assert.Equal(t, http.StatusOK, status, "the gate knows the peer")
		assert.Contains(t, answer, "\r\n\r\n"+ca)
		delete(known, ca)
		for _, other := range known {
			status, _ = ask("GET", "/", other)
			assert.Equal(t, http.StatusUnauthorized, status)
		}
	}
	status, _ := ask("OPTIONS", "*", "x")
	assert.Equal(t, http.StatusUnauthorized, status)
}

func TestConfigureServer_ServerWhoseHandlerWasReplacedDoesNotStart(t *testing.T) {
	f := newFolder(t)
	auth := open(t, f.write("policy.json", numbered(0)), certauth.Config{})
	server := &http.Server{Handler: roles, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	require.NoError(t, auth.ConfigureServer(server))
	server.Handler = http.NotFoundHandler()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	assert.PanicsWithValue(t, "policyfile: ConfigureServer: server.Handler became a http.HandlerFunc, which accepts every request; call ConfigureServer last, and start the server by its own methods",
		func() { _ = server.Serve(listener) })
}

func TestConfigureServer_MistakesAreErrorsAndChangeNothing(t *testing.T) {
	f := newFolder(t)
	path := f.write("policy.json", numbered(0))
	auth := open(t, path, certauth.Config{})
	closed, err := policyfile.Open(path, certauth.Config{})
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	for _, tc := range []struct {
		name   string
		auth   *policyfile.Authenticator
		server *http.Server
		want   string
	}{
		{"no server", auth, nil, "the server is nil"}, // finding O71: the message was the next one
		{"no handler", auth, &http.Server{}, "Handler is nil"},
		{"a handler that is wrapped already", auth, &http.Server{Handler: auth.Handler(roles)}, "is already protected by an Authenticator"},
		{"after Close", closed, &http.Server{Handler: roles}, "closed"},
	} {
		assert.ErrorContains(t, tc.auth.ConfigureServer(tc.server), tc.want, tc.name)
		if tc.server != nil {
			assert.Nil(t, tc.server.ConnContext, tc.name)
			assert.Zero(t, tc.server.ReadHeaderTimeout, tc.name)
		}
	}
}
