package outbound_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
)

// dial makes a handshake and reads nothing.
func dial(d *downstream, config *tls.Config) error {
	conn, err := tls.Dial("tcp", d.Listener.Addr().String(), config)
	if err == nil {
		err = conn.Close()
	}
	return err
}

func TestServer_IsVerified(t *testing.T) {
	w := newWorld(t)
	w.put(t, "orders")
	good := w.serve(t, nil, nil)
	with := func(leaf *certauthtest.Certificate) *downstream {
		return w.serve(t, func(c *tls.Config) {
			c.Certificates = []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: leaf.Key}}
		}, nil)
	}
	usage, here := certauthtest.Usage(x509.ExtKeyUsageServerAuth), certauthtest.IP("127.0.0.1")
	for _, tc := range []struct {
		name   string
		server *downstream
		want   outbound.Reason
	}{
		{"the right server", good, ""},
		{"another CA", with(w.clients.Issue(t, "server", usage, here)), outbound.ReasonServerUntrusted},
		{"another name", with(w.servers.Issue(t, "server", usage, certauthtest.IP("127.0.0.2"))), outbound.ReasonServerUntrusted},
		{"an expired certificate", with(w.servers.Issue(t, "server", usage, here, certauthtest.Valid(time.Now().Add(-2*day), time.Now().Add(-day)))), outbound.ReasonServerUntrusted},
		{"a client's certificate", with(w.servers.Issue(t, "server", certauthtest.Usage(x509.ExtKeyUsageClientAuth), here)), outbound.ReasonServerUntrusted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			own := open(t, w.config())
			_, _, viaTransport := get(t, client(t, own, nil), tc.server.URL)
			viaConfig := dial(tc.server, own.TLSConfig("127.0.0.1"))
			for _, err := range []error{viaTransport, viaConfig} {
				if tc.want == "" {
					assert.NoError(t, err)
					continue
				}
				reasonIs(t, err, tc.want)
			}
			if tc.want != "" {
				assert.Empty(t, tc.server.seen(), "an untrusted server must receive no request")
			}
		})
	}
}

func TestServer_PinsOfItsKey(t *testing.T) {
	w := newWorld(t)
	w.put(t, "orders")
	leaf := w.serverCertificate(t)
	d := w.serve(t, func(c *tls.Config) {
		c.Certificates = []tls.Certificate{{Certificate: [][]byte{leaf.Raw, w.servers.Certificate.Raw}, PrivateKey: leaf.Key}}
	}, nil)
	digest := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	ofCA := sha256.Sum256(w.servers.Certificate.RawSubjectPublicKeyInfo)
	other := sha256.Sum256([]byte("another"))
	for _, tc := range []struct {
		name string
		pins []string
		want outbound.Reason
	}{
		{"in hex", []string{hex.EncodeToString(digest[:])}, ""},
		{"in base64, as the second", []string{hex.EncodeToString(other[:]), base64.StdEncoding.EncodeToString(digest[:])}, ""},
		{"another key", []string{hex.EncodeToString(other[:])}, outbound.ReasonServerUntrusted},
		{"the key of its CA", []string{hex.EncodeToString(ofCA[:])}, outbound.ReasonServerUntrusted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config := w.config()
			config.ServerKeys = tc.pins
			own := open(t, config)
			_, _, viaTransport := get(t, client(t, own, nil), d.URL)
			for _, err := range []error{viaTransport, dial(d, own.TLSConfig("127.0.0.1"))} {
				if tc.want == "" {
					assert.NoError(t, err)
				} else {
					reasonIs(t, err, tc.want)
				}
			}
		})
	}
}

// crypto/tls sends no name for an IP address, so VerifyConnection cannot know which server was meant. A chain
// without a name must not be sufficient.
func TestServer_NameIsNeverLeftOut(t *testing.T) {
	w := newWorld(t)
	w.put(t, "orders")
	d := w.serve(t, nil, nil)
	own := open(t, w.config())
	for _, tc := range []struct {
		name   string
		config func() *tls.Config
		want   outbound.Reason
	}{
		{"the address was given", func() *tls.Config { return own.TLSConfig("127.0.0.1") }, ""},
		{"the name was given", func() *tls.Config { return own.TLSConfig("localhost") }, ""},
		{"another address was given", func() *tls.Config { return own.TLSConfig("127.0.0.2") }, outbound.ReasonServerUntrusted},
		{"the client sets a name", func() *tls.Config { c := own.TLSConfig(""); c.ServerName = "localhost"; return c }, ""},
		{"the client sets a wrong name", func() *tls.Config { c := own.TLSConfig(""); c.ServerName = "other.example"; return c }, outbound.ReasonServerUntrusted},
		{"the client sets an address", func() *tls.Config { c := own.TLSConfig(""); c.ServerName = "127.0.0.1"; return c }, outbound.ReasonServerUntrusted},
		{"the client sets an address over the given name", func() *tls.Config { c := own.TLSConfig("other.example"); c.ServerName = "127.0.0.1"; return c }, outbound.ReasonServerUntrusted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := dial(d, tc.config())
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			reasonIs(t, err, tc.want)
		})
	}
}

// finding O44: for a client that sets no name, as that of MySQL if InsecureSkipVerify is set, the hint was to pass an IP
// address.
func TestServer_AClientThatSetsNoNameNeedsIt(t *testing.T) {
	w := newWorld(t)
	w.put(t, "orders")
	own := open(t, w.config())
	for name, want := range map[string]outbound.Reason{"": outbound.ReasonServerUntrusted, "localhost": ""} {
		conn, err := net.Dial("tcp", w.serve(t, nil, nil).Listener.Addr().String())
		require.NoError(t, err)
		err = tls.Client(conn, own.TLSConfig(name)).HandshakeContext(t.Context())
		require.NoError(t, conn.Close())
		if want == "" {
			assert.NoError(t, err)
			continue
		}
		assert.Equal(t, "pass the server's name or IP address to TLSConfig", reasonIs(t, err, want).Hint)
	}
}

func TestServer_RootsAreReloaded(t *testing.T) {
	w := newWorld(t)
	w.put(t, "orders")
	d := w.serve(t, nil, nil)
	own := open(t, w.config())
	c, config := client(t, own, nil), own.TLSConfig("127.0.0.1")
	_, _, err := get(t, c, d.URL)
	require.NoError(t, err)
	require.NoError(t, dial(d, config))

	next := certauthtest.NewCA(t, "Next Server Root")
	replace(t, w.path("roots.pem"), append(next.PEM(), keyPEM(t, issue(t, w.clients, "x").Key)...))
	reasonIs(t, own.Reload(t.Context()), outbound.ReasonMalformed) // a key is not a root
	replace(t, w.path("roots.pem"), append(next.PEM(), "-----BEGIN CERTIFICATE-----\n"...))
	reasonIs(t, own.Reload(t.Context()), outbound.ReasonMalformed)
	_, _, err = get(t, c, d.URL)
	require.NoError(t, err, "the last good roots stay")

	replace(t, w.path("roots.pem"), next.PEM())
	require.NoError(t, own.Reload(t.Context()))
	_, _, err = get(t, c, d.URL) // the idle connection is no longer used
	reasonIs(t, err, outbound.ReasonServerUntrusted)
	reasonIs(t, dial(d, config), outbound.ReasonServerUntrusted)

	replace(t, w.path("roots.pem"), append(next.PEM(), w.servers.PEM()...))
	require.NoError(t, own.Reload(t.Context()))
	_, _, err = get(t, c, d.URL)
	require.NoError(t, err)
	require.NoError(t, dial(d, config))
}

// finding P10, for the roots of servers.
func TestServer_RootsWithAMergeConflictAreNotUsed(t *testing.T) {
	w := newWorld(t)
	w.put(t, "orders")
	other := certauthtest.NewCA(t, "Other Root")
	write(t, w.path("roots.pem"), []byte("<<<<<<< HEAD\n"+string(w.servers.PEM())+"=======\n"+string(other.PEM())+">>>>>>> x\n"))
	e := refused(t, w.config(), outbound.ReasonMalformed)
	assert.Contains(t, e.Error(), "merge conflict")
}

// Sessions are resumed with the certificate with which they began, and never with another one.
func TestResumption_StaysWithinAGeneration(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			w := newWorld(t)
			first := w.put(t, "orders")
			var resumed atomic.Int32
			d := w.serve(t, func(c *tls.Config) {
				c.MaxVersion = version
				c.VerifyConnection = func(cs tls.ConnectionState) error {
					if cs.DidResume {
						resumed.Add(1)
					}
					return nil
				}
			}, nil)
			own := open(t, w.config())
			c := client(t, own, http1())
			again := func() {
				_, _, err := get(t, c, d.URL)
				require.NoError(t, err)
				c.CloseIdleConnections()
			}
			again()
			again()
			assert.EqualValues(t, 1, resumed.Load())
			second := w.put(t, "orders")
			require.NoError(t, own.Reload(t.Context()))
			again()
			assert.EqualValues(t, 1, resumed.Load(), "a session of the first certificate with the second one")
			again()
			assert.EqualValues(t, 2, resumed.Load())
			assert.Equal(t, []string{fingerprint(first.Certificate), fingerprint(first.Certificate), fingerprint(second.Certificate), fingerprint(second.Certificate)}, d.seen())

			// A TLSConfig resumes no session, even if a client gives it a cache.
			config := own.TLSConfig("127.0.0.1")
			config.ClientSessionCache = tls.NewLRUClientSessionCache(0)
			for range 3 {
				conn, err := tls.Dial("tcp", d.Listener.Addr().String(), config)
				require.NoError(t, err)
				_, err = conn.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
				require.NoError(t, err)
				_, err = conn.Read(make([]byte, 1))
				require.NoError(t, err)
				require.NoError(t, conn.Close())
			}
			assert.EqualValues(t, 2, resumed.Load())
		})
	}
}

// CVE-2025-68121 Go: a session that began under other roots was resumed. The conditions for a new session also apply to
// a resumed one.
func TestResumption_TheServerIsVerifiedAgain(t *testing.T) {
	w := newWorld(t)
	w.put(t, "orders")
	var now atomic.Int64
	now.Store(time.Now().Unix())
	leaf := w.servers.Issue(t, "server", certauthtest.Usage(x509.ExtKeyUsageServerAuth), certauthtest.IP("127.0.0.1"),
		certauthtest.Valid(time.Now().Add(-day), time.Now().Add(day)))
	d := w.serve(t, func(c *tls.Config) {
		c.Certificates = []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: leaf.Key}}
	}, nil)
	config := w.config()
	config.Now = func() time.Time { return time.Unix(now.Load(), 0) }
	c := client(t, open(t, config), http1())
	_, _, err := get(t, c, d.URL)
	require.NoError(t, err)
	c.CloseIdleConnections()
	now.Store(leaf.NotAfter.Unix() + 1)
	_, _, err = get(t, c, d.URL)
	reasonIs(t, err, outbound.ReasonServerUntrusted)
}

// A tunnelling proxy forwards TLS; the certificate goes to the server behind it.
func TestTransport_ThroughAProxy(t *testing.T) {
	w := newWorld(t)
	leaf := w.put(t, "orders")
	d := w.serve(t, nil, nil)
	var tunnels atomic.Int32
	proxy := newTunnel(t, &tunnels)
	address, err := url.Parse(proxy)
	require.NoError(t, err)
	body, response, err := get(t, client(t, open(t, w.config()), &http.Transport{Proxy: http.ProxyURL(address)}), d.URL)
	require.NoError(t, err)
	assert.Equal(t, "orders", body)
	assert.Equal(t, "HTTP/2.0", response.Proto)
	assert.EqualValues(t, 1, tunnels.Load())
	assert.Equal(t, []string{fingerprint(leaf.Certificate)}, d.seen())
	assert.Len(t, w.journal.of(outbound.OutcomeAccepted), 1)
}

// finding O37: whatever was wrong with a server, the hint was to look for its CA in ServerRoots: also if its certificate
// had expired or was for another name, if its key is not in ServerKeys, and if no name was there to verify.
func TestServer_TheHintFitsTheCause(t *testing.T) {
	w := newWorld(t)
	w.put(t, "orders")
	usage, here := certauthtest.Usage(x509.ExtKeyUsageServerAuth), certauthtest.IP("127.0.0.1")
	for _, tc := range []struct {
		name string
		leaf *certauthtest.Certificate
		pins []string
		want string
	}{
		{"another CA", w.clients.Issue(t, "server", usage, here), nil, "is its CA in Config.ServerRoots"},
		{"another name", w.servers.Issue(t, "server", usage, certauthtest.IP("127.0.0.2")), nil, "its certificate is for other names"},
		{"expired", w.servers.Issue(t, "server", usage, here, certauthtest.Valid(time.Now().Add(-2*day), time.Now().Add(-day))), nil, "has to be renewed there; check this host's clock too"},
		{"not yet valid", w.servers.Issue(t, "server", usage, here, certauthtest.Valid(time.Now().Add(day), time.Now().Add(2*day))), nil, "this host's clock"},
		{"another key", w.serverCertificate(t), []string{strings.Repeat("ab", 32)}, "add it to Config.ServerKeys"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := w.serve(t, func(c *tls.Config) {
				c.Certificates = []tls.Certificate{{Certificate: [][]byte{tc.leaf.Raw}, PrivateKey: tc.leaf.Key}}
			}, nil)
			config := w.config()
			config.ServerKeys = tc.pins
			own := open(t, config)
			_, _, viaTransport := get(t, client(t, own, nil), d.URL)
			viaGet := &tls.Config{ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool(), GetClientCertificate: own.GetClientCertificate}
			viaGet.RootCAs.AddCert(w.servers.Certificate)
			all := []error{viaTransport, dial(d, own.TLSConfig("127.0.0.1"))}
			if tc.pins == nil {
				all = append(all, outbound.Explain(dial(d, viaGet)))
			}
			for _, err := range all {
				assert.Contains(t, reasonIs(t, err, outbound.ReasonServerUntrusted).Hint, tc.want)
			}
		})
	}
	d := w.serve(t, nil, nil)
	err := dial(d, open(t, w.config()).TLSConfig(""))
	assert.Equal(t, "pass the server's name or IP address to TLSConfig", reasonIs(t, err, outbound.ReasonServerUntrusted).Hint)
}

// finding O45: if the root in ServerRoots had expired, the hint was that the server has to renew something.
func TestServer_ARootThatHasExpiredIsInTheHint(t *testing.T) {
	w := newWorld(t)
	w.put(t, "orders")
	w.servers = certauthtest.NewCA(t, "Old Root", certauthtest.Valid(time.Now().Add(-2*day), time.Now().Add(-day)))
	replace(t, w.path("roots.pem"), w.servers.PEM())
	d, own := w.serve(t, nil, nil), open(t, w.config())
	_, _, viaTransport := get(t, client(t, own, nil), d.URL)
	for _, err := range []error{viaTransport, dial(d, own.TLSConfig("127.0.0.1"))} {
		assert.Contains(t, reasonIs(t, err, outbound.ReasonServerUntrusted).Hint, "add the CA's next one to Config.ServerRoots")
	}
}

// finding O39: an intermediate that has expired is not presented, and the hint of the refusal by a server that needs it
// was to put the intermediates into the source, where it is.
func TestServer_AnExpiredIntermediateIsInTheHint(t *testing.T) {
	w := newWorld(t)
	issuing := w.clients.NewIntermediate(t, "Issuing", certauthtest.Valid(time.Now().Add(-2*day), time.Now().Add(-day)))
	replace(t, w.path("tls.pem"), bundle(t, issue(t, issuing, "orders"), issuing.Certificate))
	own := open(t, w.config())
	assert.Zero(t, own.Status().Intermediates)
	_, _, err := get(t, client(t, own, nil), w.serve(t, nil, nil).URL)
	assert.Contains(t, reasonIs(t, err, outbound.ReasonRefusedUnknownCA).Hint, "an expired one is not presented")
}

// finding O41: while a server refused the certificate, or the certificate had expired, each request wrote a record,
// although a failure that repeats is logged less and less often, as the documentation of Logger says.
func TestLog_AServerThatRefusesWritesOneRecordAMinute(t *testing.T) {
	w := newWorld(t)
	w.put(t, "orders")
	stranger := func(c *tls.Config) { c.ClientCAs = x509.NewCertPool() }
	d, other := w.serve(t, stranger, nil), w.serve(t, stranger, nil)
	var logged records
	var passed atomic.Int64
	config := w.config()
	start := time.Now()
	config.Logger, config.Now = logged.logger(), func() time.Time { return start.Add(time.Duration(passed.Load())) }
	c := client(t, open(t, config), nil)
	written := func() int { return logged.count("outbound: refused") }
	for range 10 {
		_, _, err := get(t, c, d.URL)
		reasonIs(t, err, outbound.ReasonRefusedUnknownCA)
	}
	require.Equal(t, 1, written())
	_, _, err := get(t, c, other.URL)
	require.Error(t, err)
	assert.Equal(t, 2, written(), "another server")
	passed.Store(int64(time.Minute))
	_, _, err = get(t, c, d.URL)
	require.Error(t, err)
	assert.Equal(t, 3, written())
	assert.Contains(t, logged.text(), "repeated=9")
	passed.Store(0)
	_, _, err = get(t, c, d.URL)
	require.Error(t, err)
	assert.Equal(t, 4, written(), "the clock went back")
	assert.Len(t, w.journal.of(outbound.OutcomeRefused), 13, "Observe receives all")
}
