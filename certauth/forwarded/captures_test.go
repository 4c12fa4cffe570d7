package forwarded_test

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// captureFile is a file of testdata/captures; the README in that folder explains the fields.
type captureFile struct {
	name     string
	Trusted  []string  `json:"trusted_peers"`
	VerifyAt time.Time `json:"verify_at"`
	Configs  map[string]struct{ Sources []captureSource }
	Captures []capture
}

type captureSource struct {
	Name, Format, Header string
	Chain                struct{ Header, Format string }
	Verify               []struct{ Header, Equals string }
	Fingerprint          struct{ Header, Hash string }
	Absent               []string
	Elements, Hops       int
	By                   []string
}

type capture struct {
	ID, Config string
	Request    *struct {
		RemoteAddr string `json:"remote_addr"`
		Status     int    `json:"net_http_status"`
		Method     string
		Target     string
		Headers    [][2]string
		Wire       string
	}
	Expect []struct {
		Source, Outcome, Leaf string
		Chain                 []string
		Forged                bool
	}
}

const capturesFolder = "../../testdata/captures"

func captureFiles(t *testing.T) []captureFile {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(capturesFolder, "*.json"))
	require.NoError(t, err)
	var files []captureFile
	for _, name := range names {
		content, err := os.ReadFile(name)
		require.NoError(t, err)
		file := captureFile{name: strings.TrimSuffix(filepath.Base(name), ".json")}
		require.NoError(t, json.Unmarshal(content, &file))
		if len(file.Captures) > 0 { // spoofed-headers.json is input for the others
			files = append(files, file)
		}
	}
	return files
}

// pki returns the certificates of the captures by name.
func pki(t testing.TB) map[string]*x509.Certificate {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(capturesFolder, "pki", "*.pem"))
	require.NoError(t, err)
	require.NotEmpty(t, names)
	certs := map[string]*x509.Certificate{}
	for _, name := range names {
		content, err := os.ReadFile(name)
		require.NoError(t, err)
		block, _ := pem.Decode(content)
		require.NotNil(t, block, name)
		certs[strings.TrimSuffix(filepath.Base(name), ".pem")], err = x509.ParseCertificate(block.Bytes)
		require.NoError(t, err, name)
	}
	return certs
}

// pinned accepts every certificate of the captures, so that only the source decides.
func pinned(t testing.TB) certauth.Policy {
	t.Helper()
	var list []*x509.Certificate
	for _, cert := range pki(t) {
		list = append(list, cert)
	}
	return certauth.Certificates(list...)
}

func (c capture) request(t *testing.T) *http.Request {
	t.Helper()
	require.Equal(t, http.StatusOK, c.Request.Status)
	r := httptest.NewRequest(c.Request.Method, c.Request.Target, nil)
	r.RemoteAddr = c.Request.RemoteAddr
	r.Header = http.Header{}
	for _, h := range c.Request.Headers {
		r.Header[h[0]] = append(r.Header[h[0]], h[1])
	}
	return r
}

// outcomes maps the words of the captures to reasons.
var outcomes = map[string]certauth.Reason{
	"certificate": certauth.ReasonNone, "absent": certauth.ReasonCertificateMissing, "malformed": certauth.ReasonCertificateMalformed,
	"denied": certauth.ReasonFrontEndUnverified, "untrusted source": certauth.ReasonSourceUntrusted,
}

// Every captured request with every source that can read its front end. The counts are those of the
// files, so that no capture is skipped unnoticed.
func TestCaptures(t *testing.T) {
	onAppService(t)
	certs, policy := pki(t), pinned(t)
	captures, replays, forgeries, never := 0, 0, 0, 0
	for _, file := range captureFiles(t) {
		from := forwarded.Peers(file.Trusted...)
		now := func() time.Time { return file.VerifyAt }
		for _, c := range file.Captures {
			captures++
			if c.Request == nil || c.Request.Status == http.StatusBadRequest {
				never++ // the request never reached the app
			}
			for _, want := range c.Expect {
				replays++
				t.Run(c.ID+"/"+want.Source, func(t *testing.T) {
					if want.Outcome == "unreachable" {
						assert.True(t, c.Request == nil || c.Request.Status == http.StatusBadRequest)
						return
					}
					require.Contains(t, outcomes, want.Outcome)
					s := newStand(t, certauth.Config{Source: sourceOf(t, file, c.Config, want.Source, from), Policy: policy, Now: now})
					id := s.judge(t, func() *http.Request { return c.request(t) }, outcomes[want.Outcome])
					if want.Outcome != "certificate" || id == nil {
						return
					}
					chain := append([]string{want.Leaf}, want.Chain...)
					var have []string
					for _, cert := range id.Presented {
						have = append(have, nameOf(certs, cert))
					}
					assert.Equal(t, chain, have)
				})
				if want.Forged {
					forgeries++
				}
			}
		}
	}
	assert.Len(t, pki(t), 22)
	assert.Equal(t, 219, captures)
	assert.Equal(t, 313, replays)
	assert.Equal(t, 3, never, "captures of requests that never reached the app")
	assert.Equal(t, 10, forgeries, "captures of misconfigured front ends, which only the probe detects")
}

func nameOf(certs map[string]*x509.Certificate, cert *x509.Certificate) string {
	for name, known := range certs {
		if known.Equal(cert) {
			return name
		}
	}
	return "unknown"
}

// The first certificate of each file, and the requests that Go itself refuses, sent byte by byte to
// a listener.
func TestCaptures_ThroughAListener(t *testing.T) {
	onAppService(t)
	policy := pinned(t)
	files, refused := 0, 0
	for _, file := range captureFiles(t) {
		sent := false
		for _, c := range file.Captures {
			want := c.Expect[0]
			if c.Request == nil || (c.Request.Wire == "" || c.Request.Status == http.StatusOK) && (sent || want.Outcome != "certificate" && want.Outcome != "untrusted source") {
				continue
			}
			reaches := c.Request.Status == http.StatusOK
			if reaches {
				sent = true
				files++
			} else {
				refused++
			}
			t.Run(c.ID, func(t *testing.T) {
				auth, err := certauth.New(certauth.Config{
					Source: sourceOf(t, file, c.Config, want.Source, forwarded.Peers(file.Trusted...)), Policy: policy, Now: func() time.Time { return file.VerifyAt },
				})
				require.NoError(t, err)
				called := false
				server := newServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					called = true
					auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						id, _ := certauth.FromContext(r.Context())
						w.Header().Set("Thumbprint", id.Thumbprint())
					})).ServeHTTP(w, r)
				}))
				defer server.Close()
				response := overTheWire(t, server.Listener.Addr().String(), c)
				assert.Equal(t, reaches, called)
				switch {
				case !reaches:
					assert.Equal(t, http.StatusBadRequest, response.StatusCode)
				case want.Outcome == "certificate":
					assert.Equal(t, http.StatusOK, response.StatusCode)
					assert.Equal(t, thumbprint(pki(t)[want.Leaf].Raw), response.Header.Get("Thumbprint"))
				default:
					assert.Equal(t, http.StatusUnauthorized, response.StatusCode)
				}
			})
		}
	}
	assert.Equal(t, 15, files)
	assert.Equal(t, 2, refused)
}

func overTheWire(t *testing.T, address string, c capture) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer conn.Close()
	wire := c.Request.Wire
	if wire == "" {
		wire = c.Request.Method + " " + c.Request.Target + " HTTP/1.1\r\nHost: app.example\r\n"
		for _, h := range c.Request.Headers {
			wire += h[0] + ": " + h[1] + "\r\n"
		}
		wire += "\r\n"
	}
	_, err = conn.Write([]byte(wire))
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer response.Body.Close()
	return response
}
