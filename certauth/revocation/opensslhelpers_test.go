package revocation_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// openssl writes OCSP responses and CRLs to files; no server runs.
type openssl struct {
	path, folder string
}

func findOpenSSL(t *testing.T) *openssl {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CERTAUTH_REQUIRE_REAL") == "1" {
			t.Fatal("CERTAUTH_REQUIRE_REAL=1: openssl is not installed")
		}
		t.Skip("openssl is not installed")
	}
	return &openssl{path: path, folder: t.TempDir()}
}

func (o *openssl) run(t *testing.T, arguments ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), o.path, arguments...)
	command.Dir = o.folder
	output, err := command.CombinedOutput()
	require.NoError(t, err, "openssl %v: %s", arguments, output)
}

func (o *openssl) write(t *testing.T, name string, content []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(o.folder, name), content, 0o600))
}

func (o *openssl) read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(o.folder, name))
	require.NoError(t, err)
	return content
}

func (o *openssl) writeIdentity(t *testing.T, name string, of *identity) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(of.key)
	require.NoError(t, err)
	o.write(t, name+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: of.cert.Raw}))
	o.write(t, name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
}

// indexLine is a certificate and the reason of its revocation, empty if it is not revoked.
type indexLine struct {
	reason string
	of     *identity
}

func (o *openssl) writeIndex(t *testing.T, lines ...indexLine) {
	t.Helper()
	const layout = "060102150405Z"
	var index bytes.Buffer
	for _, line := range lines {
		kind, revocation := "V", ""
		if line.reason != "" {
			kind, revocation = "R", time.Now().Add(-time.Hour).UTC().Format(layout)+","+line.reason
		}
		fmt.Fprintf(&index, "%s\t%s\t%s\t%X\tunknown\t/O=Contoso/CN=%s\n", kind, line.of.cert.NotAfter.UTC().Format(layout), revocation,
			line.of.cert.SerialNumber.Bytes(), line.of.cert.Subject.CommonName)
	}
	o.write(t, "index.txt", index.Bytes())
}

// liveScene has certificates that are valid by the real clock, which openssl uses for signing, and
// openssl's index: other is revoked, held is on hold, absent is not in it.
func liveScene(t *testing.T, o *openssl, rsa bool) (s *scene, delegate, held, absent *identity) {
	t.Helper()
	from, to := time.Now().Add(-24*time.Hour), time.Now().Add(100*24*time.Hour)
	live := valid(from, to)
	key := newKey(t)
	if rsa {
		key = rsaKey(t, 2048)
	}
	s = &scene{root: makeCert(t, "Root", newKey(t), nil, asCA, live)}
	s.ca = makeCert(t, "Clients CA", key, s.root, asCA, live)
	points := extra(ocsptest.DistributionPoints(ocsptest.Point(uri(shardA))))
	client := func(name string) *identity { return makeCert(t, name, newKey(t), s.ca, asClient, live, points) }
	s.client, s.other, held, absent = client("client"), client("other"), client("held"), client("absent")
	delegate = makeCert(t, "responder", newKey(t), s.ca, asDelegate, live)
	for name, one := range map[string]*identity{"ca": s.ca, "client": s.client, "other": s.other, "held": held, "absent": absent, "responder": delegate} {
		o.writeIdentity(t, name, one)
	}
	o.writeIndex(t, indexLine{"", s.client}, indexLine{"keyCompromise", s.other}, indexLine{"certificateHold", held})
	o.write(t, "number", []byte("1001\n"))
	o.write(t, "ca.cnf", []byte(`[ca]
default_ca = this
[this]
database = index.txt
crlnumber = number
default_md = sha256
default_crl_days = 1
[plain]
authorityKeyIdentifier = keyid
[shard_a]
authorityKeyIdentifier = keyid
issuingDistributionPoint = critical, @a
[a]
fullname = URI:`+shardA+`
onlyuser = TRUE
[shard_b]
issuingDistributionPoint = critical, @b
[b]
fullname = URI:`+shardB+`
[indirect]
issuingDistributionPoint = critical, @i
[i]
fullname = URI:`+shardA+`
indirectCRL = TRUE
[reasons]
issuingDistributionPoint = critical, @r
[r]
fullname = URI:`+shardA+`
onlysomereasons = keyCompromise, CACompromise
[delta]
2.5.29.27 = critical, DER:02:02:10:00
[base]
authorityKeyIdentifier = keyid
issuingDistributionPoint = critical, @a
freshestCRL = URI:http://crl.example/delta
[delta_of_base]
authorityKeyIdentifier = keyid
issuingDistributionPoint = critical, @a
2.5.29.27 = critical, DER:02:02:10:01
[delta_of_a_later_base]
authorityKeyIdentifier = keyid
issuingDistributionPoint = critical, @a
2.5.29.27 = critical, DER:02:02:10:02
`))
	return s, delegate, held, absent
}
