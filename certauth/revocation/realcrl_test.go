package revocation_test

import (
	"crypto/rand"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

// publisher is an openssl CA whose folder is on the web.
type publisher struct {
	*openssl
	ca      *identity
	url     string
	options revocation.HTTPOptions

	mu       sync.Mutex
	statuses map[string][]int // by the User-Agent that was answered
}

func newPublisher(t *testing.T) *publisher {
	t.Helper()
	p := &publisher{openssl: findOpenSSL(t), statuses: map[string][]int{}}
	s, _, _, _ := liveScene(t, p.openssl, false)
	p.ca = s.ca
	web := filepath.Join(p.folder, "web")
	require.NoError(t, os.Mkdir(web, 0o700))
	server := httptest.NewServer(p.recording(http.FileServer(http.Dir(web))))
	t.Cleanup(server.Close)
	p.url, p.options = server.URL, loopback(server.Listener.Addr().(*net.TCPAddr).Port)
	config := string(p.read(t, "ca.cnf"))
	require.Contains(t, config, shardA)
	require.Contains(t, config, shardB)
	p.write(t, "ca.cnf", []byte(strings.NewReplacer(shardA, p.url+"/a.crl", shardB, p.url+"/b.crl").Replace(config)))
	return p
}

// recording records the status of every answer.
func (p *publisher) recording(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		p.mu.Lock()
		p.statuses[r.UserAgent()] = append(p.statuses[r.UserAgent()], answer.Code)
		p.mu.Unlock()
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

// fresh returns the options with a unique User-Agent, to distinguish the requests of a Checker from
// those that an earlier one has abandoned.
func (p *publisher) fresh() revocation.HTTPOptions {
	options := p.options
	options.UserAgent = rand.Text()
	return options
}

func (p *publisher) answered(by revocation.HTTPOptions) []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.statuses[by.UserAgent])
}

// client returns a client whose list is a.crl.
func (p *publisher) client(t *testing.T, name string) *identity {
	t.Helper()
	return makeCert(t, name, newKey(t), p.ca, asClient, live, listedAt(p.url+"/a.crl"))
}

// publish makes a list with a section of the configuration, and dates the file.
func (p *publisher) publish(t *testing.T, section, form string, modified time.Time, arguments ...string) {
	t.Helper()
	p.run(t, append([]string{"ca", "-config", "ca.cnf", "-gencrl", "-cert", "ca.pem", "-keyfile", "ca.key", "-crlexts", section, "-out", "list.pem"}, arguments...)...)
	p.run(t, "crl", "-in", "list.pem", "-outform", form, "-out", "list")
	require.NoError(t, os.Chtimes(filepath.Join(p.folder, "list"), modified, modified))
	require.NoError(t, os.Rename(filepath.Join(p.folder, "list"), filepath.Join(p.folder, "web", "a.crl")))
}

// Lists of openssl at the distribution point of the certificate, http://.../a.crl. In the sections
// shard_a and shard_b, a critical extension names the point for which a list is meant.
func TestRealCRL_OpenSSL(t *testing.T) {
	p := newPublisher(t)
	when := time.Now().Add(-time.Hour)
	good, compromised, held, absent := p.client(t, "client"), p.client(t, "compromised"), p.client(t, "held"), p.client(t, "absent")
	p.enter(t, "index.txt", entry{of: good}, entry{compromised, when, "keyCompromise"}, entry{held, when, "certificateHold"})
	refused := foundNothing(revocation.ErrCRLScope)
	revoked := foundRevoked(evidence.ReasonUnspecified) // of the reasons, only a hold is kept in memory
	for _, c := range []struct {
		name      string
		section   string
		form      string
		arguments []string
		about     *identity
		config    func(*revocation.Config)
		want      verdict
	}{
		{"our shard, not listed", "shard_a", "DER", nil, good, nil, foundGood},
		{"our shard in PEM, not listed", "shard_a", "PEM", nil, good, nil, foundGood},
		{"our shard, never heard of", "shard_a", "DER", nil, absent, nil, foundGood},
		{"our shard, revoked", "shard_a", "DER", nil, compromised, nil, revoked},
		{"our shard, revoked, under SoftFail", "shard_a", "DER", nil, compromised, softFail, revoked},
		{"our shard, on hold", "shard_a", "PEM", nil, held, nil, foundRevoked(6)},
		{"a list without a shard, revoked", "plain", "DER", nil, compromised, nil, revoked},
		{"another shard in its place", "shard_b", "DER", nil, good, nil, refused},
		{"another shard in its place, the client is revoked", "shard_b", "DER", nil, compromised, nil, refused},
		{"another shard in its place, under SoftFail", "shard_b", "DER", nil, good, softFail, waivedThough(refused)},
		{"an indirect list", "indirect", "DER", nil, good, nil, refused},
		{"some reasons only, not listed", "reasons", "DER", nil, good, nil, foundNothing(evidence.ErrCRLIncomplete)},
		{"some reasons only, revoked", "reasons", "DER", nil, compromised, nil, revoked},
		{"signed with SHA-1", "shard_a", "DER", []string{"-md", "sha1"}, good, nil, foundNothing(evidence.ErrWeakAlgorithm)},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.publish(t, c.section, c.form, time.Now(), c.arguments...)
			var by revocation.HTTPOptions
			checker, result := c.want.checkAnew(t, func() revocation.Config {
				by = p.fresh()
				config := revocation.Config{HTTP: by}
				if c.config != nil {
					c.config(&config)
				}
				return config
			}, c.about)
			c.want.check(t, checker, c.about) // from memory
			assert.Equal(t, []int{http.StatusOK}, p.answered(by))
			if c.want.err == nil {
				assert.Equal(t, revocation.SourceCRL, result.Source)
				assert.WithinDuration(t, result.ThisUpdate.Add(day), result.NextUpdate, time.Second)
				assert.Contains(t, result.Responder, p.ca.cert.Subject.String())
			}
		})
	}
	elsewhere := makeCert(t, "elsewhere", newKey(t), p.ca, asClient, live, listedAt(p.url+"/none.crl"))
	foundNothing(revocation.ErrHTTPStatus).checkAnew(t, func() revocation.Config { return revocation.Config{HTTP: p.fresh()} }, elsewhere)
	closed := p.fresh()
	closed.AllowNets = nil
	foundNothing(revocation.ErrBlockedAddress).check(t, newChecker(t, revocation.Config{HTTP: closed}), good)
	assert.Empty(t, p.answered(closed))
}

// A Checker requests a list again when it is six hours old, and downloads it only if it has
// changed.
func TestRealCRL_OpenSSLPublishesAnother(t *testing.T) {
	p := newPublisher(t)
	client := p.client(t, "client")
	p.enter(t, "index.txt", entry{of: client})
	begun := time.Now()
	p.publish(t, "shard_a", "DER", begun.Add(-time.Hour))
	var ahead atomic.Int64
	var by revocation.HTTPOptions
	observe, late := countLate()
	checker, _ := foundGood.checkAnew(t, func() revocation.Config {
		by = p.fresh()
		return revocation.Config{HTTP: by, Observe: observe, Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }}
	}, client)
	require.Equal(t, []int{http.StatusOK}, p.answered(by))
	earlier := late()
	// A request that was too late is repeated, and may have been answered.
	answered := func() []int {
		if late() > earlier {
			return slices.Compact(p.answered(by))
		}
		return p.answered(by)
	}

	ahead.Store(int64(7 * time.Hour))
	foundGood.check(t, checker, client)
	require.True(t, eventually(t, nil, func() bool {
		if late() > earlier {
			foundGood.check(t, checker, client) // which causes the repetition
		}
		return checker.Stats().CRLFetched == 2
	}))
	require.Equal(t, []int{http.StatusOK, http.StatusNotModified}, answered())

	p.enter(t, "index.txt", entry{client, begun, "superseded"})
	p.publish(t, "shard_a", "DER", begun)
	foundGood.check(t, checker, client)
	ahead.Store(int64(14 * time.Hour))
	require.True(t, eventually(t, nil, func() bool {
		found, err := checker.CheckChain(t.Context(), []*x509.Certificate{client.cert, p.ca.cert})
		require.NoError(t, err)
		return found.Status == certauth.RevocationRevoked
	}))
	foundRevoked(evidence.ReasonUnspecified).check(t, checker, client)
	assert.Equal(t, []int{http.StatusOK, http.StatusNotModified, http.StatusOK}, answered())
}
