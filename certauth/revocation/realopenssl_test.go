//go:build linux

package revocation_test

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ocsp"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

func TestRealResponder_OpenSSL(t *testing.T) {
	o := findOpenSSL(t)
	if !inOwnNetwork(t) {
		return
	}
	ca := makeCert(t, "Clients CA", newKey(t), nil, asCA, live)
	delegate := makeCert(t, "Clients responder", rsaKey(t, 2048), ca, asDelegate, live)
	stranger := makeCert(t, "Strangers CA", newKey(t), nil, asCA, live)
	namesake := makeCert(t, "Clients CA", newKey(t), nil, asCA, live)
	signers := map[string]*identity{
		"ca": ca, "delegate": delegate,
		"stranger": makeCert(t, "Strangers responder", newKey(t), stranger, asDelegate, live),
		"namesake": makeCert(t, "Clients responder", newKey(t), namesake, asDelegate, live),
	}
	for name, one := range signers {
		o.writeIdentity(t, name, one)
	}
	const (
		byCA = 8001 + iota
		byDelegate
		withoutNextUpdate
		byStranger
		byNamesake
		nobody
	)
	terms := map[int]struct {
		signer   string
		lifetime time.Duration
	}{
		byCA: {"ca", day}, byDelegate: {"delegate", 30 * time.Minute}, withoutNextUpdate: {"ca", 0},
		byStranger: {"stranger", day}, byNamesake: {"namesake", day},
	}
	when := time.Now().Add(-time.Hour).Truncate(time.Second)
	valid, absent := entry{}, (*entry)(nil)
	compromised, held, unexplained := entry{revoked: when, reason: "keyCompromise"}, entry{revoked: when, reason: "certificateHold"}, entry{revoked: when}
	unauthorized := foundNothing(evidence.ErrResponderNotAuthorized)
	sha256 := func(c *revocation.Config) { c.CertIDHash = crypto.SHA256 }
	nonce := func(mode revocation.NonceMode) func(*revocation.Config) {
		return func(c *revocation.Config) { c.Verify.NonceMode = mode }
	}
	closed := func(c *revocation.Config) { c.HTTP.AllowNets = nil }
	get, post := []string{"GET"}, []string{"POST"}
	cases := []struct {
		name   string
		port   int
		entry  *entry
		config func(*revocation.Config)
		want   verdict
		asked  []string
	}{
		{"good, by the CA", byCA, &valid, nil, foundGood, get},
		{"good, by a delegate", byDelegate, &valid, nil, foundGood, get},
		{"good, without nextUpdate", withoutNextUpdate, &valid, nil, foundGood, get},
		{"good, by the CA, asked by SHA-256", byCA, &valid, sha256, foundGood, get},
		{"good, by a delegate, asked by SHA-256", byDelegate, &valid, sha256, foundGood, get},
		{"good, with a nonce", byCA, &valid, nonce(revocation.NonceSend), foundGood, post},
		{"good, by a delegate that must return the nonce", byDelegate, &valid, nonce(revocation.NonceRequire), foundGood, post},
		{"good, asked by SHA-256 with a nonce", byDelegate, &valid, both(sha256, nonce(revocation.NonceRequire)), foundGood, post},
		{"revoked, key compromised", byCA, &compromised, nil, foundRevoked(1), get},
		{"revoked, by a delegate, asked by SHA-256", byDelegate, &compromised, sha256, foundRevoked(1), get},
		{"revoked, with a nonce", byDelegate, &compromised, nonce(revocation.NonceRequire), foundRevoked(1), post},
		{"revoked, under SoftFail", byDelegate, &compromised, both(softFail, allowUnknown), foundRevoked(1), get},
		{"on hold", byDelegate, &held, nil, foundRevoked(6), get},
		{"on hold, under SoftFail", byCA, &held, softFail, foundRevoked(6), get},
		{"revoked without a reason", byCA, &unexplained, nil, foundRevoked(evidence.ReasonUnspecified), get},
		{"not in the index", byCA, absent, nil, foundUnknown, get},
		{"not in the index, by a delegate, with a nonce", byDelegate, absent, nonce(revocation.NonceRequire), foundUnknown, post},
		{"not in the index, under SoftFail", byCA, absent, softFail, foundUnknown, get},
		{"not in the index, under SoftFail that allows that", byCA, absent, both(softFail, allowUnknown), waivedThough(foundUnknown), get},
		{"by a delegate of another CA", byStranger, &valid, nil, unauthorized, get},
		{"by a delegate of another CA, with a nonce", byStranger, &valid, nonce(revocation.NonceRequire), unauthorized, post},
		{"by a delegate of another CA, under SoftFail", byStranger, &valid, softFail, waivedThough(unauthorized), get},
		{"by a delegate of another CA of the same name", byNamesake, &valid, nil, unauthorized, get},
		{"by a delegate of another CA of the same name, under SoftFail", byNamesake, &compromised, softFail, waivedThough(unauthorized), get},
		{"nobody listens", nobody, &valid, nil, foundNothing(revocation.ErrTransport), nil},
		{"nobody listens, under SoftFail", nobody, &valid, softFail, waivedThough(foundNothing(revocation.ErrTransport)), nil},
		{"loopback is not allowed", byCA, &valid, closed, foundNothing(revocation.ErrBlockedAddress), nil},
		{"loopback is not allowed, under SoftFail", byCA, &valid, both(closed, softFail), waivedThough(foundNothing(revocation.ErrBlockedAddress)), nil},
	}
	var index []entry
	clients := make([]*identity, len(cases))
	for i, c := range cases {
		clients[i] = makeCert(t, c.name, newKey(t), ca, asClient, live, asksAt(localURL(c.port)))
		if c.entry != nil {
			index = append(index, entry{clients[i], c.entry.revoked, c.entry.reason})
		}
	}
	o.enter(t, "ca.txt", index...)
	responders := map[int]*responder{}
	for port, with := range terms {
		var arguments []string
		if with.lifetime > 0 {
			arguments = []string{"-nmin", strconv.Itoa(int(with.lifetime / time.Minute))}
		}
		responders[port] = o.serve(t, port, "ca", with.signer, arguments...)
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var before []string
			var began time.Time
			listening := responders[c.port]
			checker, result := c.want.checkAnew(t, func() revocation.Config {
				if listening != nil {
					before = listening.requests(t)
				}
				began = time.Now()
				config := revocation.Config{HTTP: loopback(c.port)}
				if c.config != nil {
					c.config(&config)
				}
				return config
			}, clients[i])
			ended := time.Now()
			c.want.check(t, checker, clients[i]) // from memory
			if listening != nil {
				assert.Equal(t, c.asked, methods(listening.requests(t)[len(before):]), "requests")
			}
			if c.want.err != nil {
				return
			}
			with := terms[c.port]
			assert.Equal(t, revocation.SourceOCSP, result.Source)
			assert.Contains(t, result.Responder, signers[with.signer].cert.Subject.String())
			assert.WithinRange(t, result.ThisUpdate, began.Add(-2*time.Second), ended) // in whole seconds
			if with.lifetime > 0 {
				assert.WithinDuration(t, result.ThisUpdate.Add(with.lifetime), result.NextUpdate, time.Second)
			} else {
				assert.Zero(t, result.NextUpdate)
			}
			if c.want.status == revocation.Revoked {
				assert.True(t, when.Equal(result.RevokedAt), "%s", result.RevokedAt)
			}
		})
	}
}

// Base64 contains characters that have another meaning in a URL, and openssl must receive them
// unchanged: its log shows the path as it was sent.
func TestRealResponder_OpenSSLReadsEscapedBase64(t *testing.T) {
	o := findOpenSSL(t)
	if !inOwnNetwork(t) {
		return
	}
	const port = 8001
	ca := makeCert(t, "Clients CA", newKey(t), nil, asCA, live)
	o.writeIdentity(t, "ca", ca)
	hashes := []struct {
		hash   crypto.Hash
		config crypto.Hash
	}{{crypto.SHA1, crypto.SHA1}, {crypto.SHA256, crypto.SHA256}}
	var clients []*identity
	var index []entry
	for _, h := range hashes {
		one := clientWithSigns(t, ca, h.hash, localURL(port))
		clients, index = append(clients, one), append(index, entry{of: one})
	}
	o.enter(t, "ca.txt", index...)
	openssl := o.serve(t, port, "ca", "ca", "-ndays", "1")
	for i, h := range hashes {
		var before int
		foundGood.checkAnew(t, func() revocation.Config {
			before = len(openssl.requests(t))
			return revocation.Config{HTTP: loopback(port), CertIDHash: h.config}
		}, clients[i])
		requests := openssl.requests(t)[before:]
		require.Len(t, requests, 1)
		assert.Regexp(t, `^GET /[A-Za-z0-9%]+ HTTP/1\.1$`, requests[0])
		assert.Contains(t, requests[0], "%2B")
		assert.Contains(t, requests[0], "%2F")
	}
}

// clientWithSigns returns a client whose OCSP request contains both characters in base64.
func clientWithSigns(t *testing.T, ca *identity, hash crypto.Hash, url string) *identity {
	t.Helper()
	for {
		serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 159))
		require.NoError(t, err)
		client := makeCert(t, "client "+serial.String(), newKey(t), ca, asClient, live, asksAt(url), func(c *x509.Certificate) { c.SerialNumber = serial })
		request, err := ocsp.CreateRequest(client.cert, ca.cert, &ocsp.RequestOptions{Hash: hash})
		require.NoError(t, err)
		if text := base64.StdEncoding.EncodeToString(request); strings.Contains(text, "+") && strings.Contains(text, "/") {
			return client
		}
	}
}

// Every certificate below the anchor is checked, each with the source that it names.
func TestRealResponder_OpenSSLForEveryCAOfTheChain(t *testing.T) {
	o := findOpenSSL(t)
	if !inOwnNetwork(t) {
		return
	}
	const rootPort, goodPort, gonePort = 8001, 8002, 8003
	root := makeCert(t, "Root", newKey(t), nil, asCA, live)
	good := makeCert(t, "Clients CA", newKey(t), root, asCA, live, asksAt(localURL(rootPort)))
	gone := makeCert(t, "Former CA", newKey(t), root, asCA, live, asksAt(localURL(rootPort)))
	client := makeCert(t, "client", newKey(t), good, asClient, live, asksAt(localURL(goodPort)))
	former := makeCert(t, "former", newKey(t), gone, asClient, live, asksAt(localURL(gonePort)))
	o.writeIdentity(t, "root", root)
	o.writeIdentity(t, "good", good)
	o.writeIdentity(t, "gone", gone)
	o.enter(t, "root.txt", entry{of: good}, entry{gone, time.Now().Add(-time.Hour), "CACompromise"})
	o.enter(t, "good.txt", entry{of: client})
	o.enter(t, "gone.txt", entry{of: former})
	forRoot := o.serve(t, rootPort, "root", "root", "-ndays", "1")
	forGood := o.serve(t, goodPort, "good", "good", "-ndays", "1")
	forGone := o.serve(t, gonePort, "gone", "gone", "-ndays", "1")
	var begun, between [3]int
	requests := func() [3]int {
		return [3]int{len(forRoot.requests(t)), len(forGood.requests(t)), len(forGone.requests(t))}
	}
	var found certauth.Revocation
	var all revocation.ChainResult
	_, err := askAnew(t, func() revocation.Config {
		begun = requests()
		return revocation.Config{HTTP: loopback(rootPort, goodPort, gonePort)}
	}, func(checker *revocation.Checker) (_ revocation.ChainResult, err error) {
		found, err = checker.CheckChain(t.Context(), []*x509.Certificate{client.cert, good.cert, root.cert})
		if err != nil {
			return revocation.ChainResult{}, err
		}
		between = requests()
		all, err = checker.Check(t.Context(), []*x509.Certificate{former.cert, gone.cert, root.cert})
		return all, err
	})
	require.NoError(t, err)
	ended := requests()
	assert.Equal(t, certauth.RevocationGood.String(), found.Status.String())
	assert.Equal(t, [3]int{begun[0] + 1, begun[1] + 1, begun[2]}, between, "requests")
	assert.Equal(t, certauth.RevocationRevoked.String(), all.Revocation.Status.String())
	assert.Equal(t, 1, all.Revocation.Depth)
	require.Len(t, all.Certificates, 2)
	assert.Equal(t, revocation.Good.String(), all.Certificates[0].Result.Status.String())
	assert.Equal(t, 2, all.Certificates[1].Result.Reason)
	assert.Equal(t, [3]int{between[0] + 1, between[1], between[2] + 1}, ended, "requests")
}

// A running Checker learns of a revocation when it asks again, an hour after the last answer, and
// does not ask before.
func TestRealResponder_OpenSSLRevokesMeanwhile(t *testing.T) {
	o := findOpenSSL(t)
	if !inOwnNetwork(t) {
		return
	}
	const port = 8001
	ca := makeCert(t, "Clients CA", newKey(t), nil, asCA, live)
	client := makeCert(t, "client", newKey(t), ca, asClient, live, asksAt(localURL(port)))
	o.writeIdentity(t, "ca", ca)
	o.enter(t, "ca.txt", entry{of: client})
	openssl := o.serve(t, port, "ca", "ca", "-ndays", "1")
	var ahead atomic.Int64
	observe, late := countLate()
	var before int
	checker, _ := foundGood.checkAnew(t, func() revocation.Config {
		before = len(openssl.requests(t))
		return revocation.Config{HTTP: loopback(port), Observe: observe, Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }}
	}, client)
	require.Len(t, openssl.requests(t), before+1)
	o.enter(t, "ca.txt", entry{client, time.Now(), "keyCompromise"})
	// openssl checks the index and then waits for a request, so one more request may be answered
	// from the old index.
	chain := []*x509.Certificate{client.cert, ca.cert}
	_, err := askAnew(t, func() revocation.Config {
		before = len(openssl.requests(t))
		return revocation.Config{HTTP: loopback(port)}
	}, func(checker *revocation.Checker) (revocation.ChainResult, error) {
		return checker.Check(t.Context(), chain)
	})
	require.NoError(t, err)
	foundGood.check(t, checker, client)
	require.Len(t, openssl.requests(t), before+1)

	before, earlier := before+1, late()
	ahead.Store(int64(2 * time.Hour))
	require.True(t, eventually(t, nil, func() bool {
		found, err := checker.CheckChain(t.Context(), chain)
		require.NoError(t, err)
		return found.Status == certauth.RevocationRevoked
	}))
	foundRevoked(1).check(t, checker, client)
	// A request that was too late is repeated, and openssl may have received it.
	asked := len(openssl.requests(t)) - before
	assert.GreaterOrEqual(t, asked, 1)
	assert.LessOrEqual(t, asked, 1+late()-earlier)
}
