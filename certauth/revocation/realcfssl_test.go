package revocation_test

import (
	"bufio"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
)

// cfssl is internal/realtest/cfssl with a folder for its input.
type cfssl struct {
	path string
	*openssl
}

// cfsslAnswer is the program's configuration for one certificate.
type cfsslAnswer struct {
	Certificate, Status, Reason string
	RevokedAt                   time.Time
}

func findCFSSL(t *testing.T) *cfssl {
	t.Helper()
	folder := os.Getenv("CERTAUTH_REALTEST_BIN") // never the command of that name that may be installed
	path := filepath.Join(folder, "cfssl")
	if _, err := exec.LookPath(path); folder == "" || err != nil {
		unavailable(t, "cfssl is not built: go -C internal/realtest/cfssl build -o DIR . and set CERTAUTH_REALTEST_BIN=DIR")
	}
	text, err := exec.CommandContext(t.Context(), path, "version").CombinedOutput()
	require.NoError(t, err, "%s", text)
	t.Logf("%s", text)
	return &cfssl{path: path, openssl: &openssl{folder: t.TempDir()}}
}

// serve starts the responder and returns its URL.
func (p *cfssl) serve(t *testing.T, ca, signer string, lifetime time.Duration, answers []cfsslAnswer) string {
	t.Helper()
	const prefix = "/ocsp/"
	file := func(name string) string { return filepath.Join(p.folder, name) }
	config, err := json.Marshal(map[string]any{
		"Listen": "127.0.0.1:0", "Path": prefix, "CA": file(ca + ".pem"), "Signer": file(signer + ".pem"), "Key": file(signer + ".key"),
		"Lifetime": lifetime, "Answers": answers,
	})
	require.NoError(t, err)
	p.write(t, signer+".json", config)
	log, err := os.Create(file(signer + ".log"))
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), p.path, file(signer+".json"))
	command.Stderr = log
	said, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	require.NoError(t, log.Close())
	t.Cleanup(func() {
		_ = command.Wait() // the test's context has ended
		if t.Failed() {
			t.Logf("cfssl says:\n%s", p.read(t, signer+".log"))
		}
	})
	address, err := bufio.NewReader(said).ReadString('\n') // it ends, or it listens
	require.NoError(t, err, "%s", p.read(t, signer+".log"))
	return "http://" + strings.TrimSpace(address) + prefix
}

// methodLog records the methods of the requests to another Fetcher.
type methodLog struct {
	revocation.Fetcher
	mu      sync.Mutex
	methods []string
}

func (r *methodLog) Fetch(ctx context.Context, request revocation.Request) (revocation.Response, error) {
	r.mu.Lock()
	r.methods = append(r.methods, request.Method)
	r.mu.Unlock()
	return r.Fetcher.Fetch(ctx, request)
}

// CFSSL signs in advance: it returns no nonce, always answers with SHA-1, and refuses unknown
// serial numbers. It does not check to which CA a serial number belongs.
func TestRealResponder_CFSSL(t *testing.T) {
	p := findCFSSL(t)
	when := time.Now().Add(-time.Hour).Truncate(time.Second)
	ca := makeCert(t, "Clients CA", rsaKey(t, 2048), nil, asCA, live)
	other := makeCert(t, "Partners CA", newKey(t), nil, asCA, live)
	signers := map[string]*identity{
		"ca":       ca,
		"delegate": makeCert(t, "Clients responder", newKey(t), ca, asDelegate, live),
		"stranger": makeCert(t, "Partners responder", newKey(t), other, asDelegate, live),
	}
	client := func(name string) *identity { return makeCert(t, name, newKey(t), ca, asClient, live) }
	good, compromised, held, unexplained, disowned := client("good"), client("compromised"), client("held"), client("unexplained"), client("disowned")
	absent := client("absent")
	partner := makeCert(t, "partner", newKey(t), other, asClient, live, func(c *x509.Certificate) { c.SerialNumber = new(big.Int).Set(good.cert.SerialNumber) })
	for name, one := range signers {
		p.writeIdentity(t, name, one)
	}
	var answers []cfsslAnswer
	for _, a := range []struct {
		of             *identity
		status, reason string
	}{{good, "good", ""}, {compromised, "revoked", "keyCompromise"}, {held, "revoked", "certificateHold"}, {unexplained, "revoked", ""}, {disowned, "unknown", ""}} {
		name := a.of.cert.Subject.CommonName
		p.writeIdentity(t, name, a.of)
		answers = append(answers, cfsslAnswer{filepath.Join(p.folder, name+".pem"), a.status, a.reason, when})
	}
	lifetimes := map[string]time.Duration{"ca": 4 * day, "delegate": day, "stranger": day}
	urls := map[string]string{}
	for signer, lifetime := range lifetimes {
		urls[signer] = p.serve(t, "ca", signer, lifetime, answers)
	}

	hash := func(h crypto.Hash) func(*revocation.Config) {
		return func(c *revocation.Config) { c.CertIDHash = h }
	}
	nonce := func(mode revocation.NonceMode) func(*revocation.Config) {
		return func(c *revocation.Config) { c.Verify.NonceMode = mode }
	}
	unauthorized, refused := foundNothing(evidence.ErrResponderNotAuthorized), foundNothing(evidence.ResponderStatusError{Status: 6})
	get, post := []string{"GET"}, []string{"POST"}
	twice := []string{"GET", "POST"} // once more by POST before it is given up (RFC 6960, appendix A.1)
	for _, c := range []struct {
		name   string
		signer string
		about  *identity
		config func(*revocation.Config)
		want   verdict
		asked  []string
	}{
		{"good, by the CA", "ca", good, nil, foundGood, get},
		{"good, by a delegate", "delegate", good, nil, foundGood, get},
		{"good, asked by SHA-256 and answered with SHA-1", "ca", good, hash(crypto.SHA256), foundGood, get},
		{"good, the nonce does not come back", "delegate", good, nonce(revocation.NonceSend), foundGood, post},
		{"the nonce must come back", "delegate", good, nonce(revocation.NonceRequire), foundNothing(evidence.ErrNonce), post},
		{"the nonce must come back, under SoftFail", "ca", good, both(softFail, nonce(revocation.NonceRequire)), waivedThough(foundNothing(evidence.ErrNonce)), post},
		{"revoked, key compromised", "ca", compromised, nil, foundRevoked(1), get},
		{"revoked, by a delegate", "delegate", compromised, nil, foundRevoked(1), get},
		{"revoked, by POST", "delegate", compromised, nonce(revocation.NonceSend), foundRevoked(1), post},
		{"revoked, under SoftFail", "delegate", compromised, both(softFail, allowUnknown), foundRevoked(1), get},
		{"on hold", "delegate", held, nil, foundRevoked(6), get},
		{"revoked without a reason", "ca", unexplained, nil, foundRevoked(evidence.ReasonUnspecified), get},
		{"unknown", "ca", disowned, nil, foundUnknown, get},
		{"unknown, by a delegate, under SoftFail", "delegate", disowned, softFail, foundUnknown, get},
		{"unknown, under SoftFail that allows that", "delegate", disowned, both(softFail, allowUnknown), waivedThough(foundUnknown), get},
		{"unauthorized", "ca", absent, nil, refused, twice},
		{"unauthorized, by POST", "ca", absent, nonce(revocation.NonceSend), refused, post},
		{"unauthorized, under SoftFail", "delegate", absent, softFail, waivedThough(refused), twice},
		{"by a delegate of another CA", "stranger", good, nil, unauthorized, get},
		{"by a delegate of another CA, under SoftFail", "stranger", compromised, softFail, waivedThough(unauthorized), get},
		{"good is the other CA's certificate of this number", "ca", partner, nil, foundNothing(evidence.ErrNoSigner), get},
		{"good is the other CA's certificate of this number, by a delegate", "delegate", partner, nil, unauthorized, get},
		{"good is the other CA's certificate of this number, by a delegate of ours", "stranger", partner, nil, foundNothing(evidence.ErrNoMatch), twice},
	} {
		t.Run(c.name, func(t *testing.T) {
			fetcher, err := fetch.NewHTTPFetcher(revocation.HTTPOptions{OCSPTimeout: unhurried})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, fetcher.Close()) })
			var asked *methodLog
			checker, result := c.want.checkAnew(t, func() revocation.Config {
				asked = &methodLog{Fetcher: fetcher}
				config := revocation.Config{Fetcher: asked, Responders: []revocation.Responder{{URL: urls[c.signer], Issuer: c.about.issuer.cert}}}
				if c.config != nil {
					c.config(&config)
				}
				return config
			}, c.about)
			c.want.check(t, checker, c.about) // from memory
			assert.Equal(t, c.asked, asked.methods)
			if c.want.err != nil {
				return
			}
			assert.Equal(t, revocation.SourceOCSP, result.Source)
			assert.Contains(t, result.Responder, signers[c.signer].cert.Subject.String())
			assert.True(t, result.ThisUpdate.Equal(result.ThisUpdate.Truncate(time.Hour)), "CFSSL rounds to the hour: %s", result.ThisUpdate)
			assert.Equal(t, lifetimes[c.signer], result.NextUpdate.Sub(result.ThisUpdate))
			if c.want.status == revocation.Revoked {
				assert.True(t, when.Equal(result.RevokedAt), "%s", result.RevokedAt)
			}
		})
	}
}
