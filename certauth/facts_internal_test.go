package certauth

import (
	"crypto/x509"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// factsIn returns the facts of certificates, leaf first, some of which are in a chain.
func factsIn(t *testing.T, certs []*x509.Certificate, chain ...*x509.Certificate) *facts {
	t.Helper()
	f, refused := newFacts(certs)
	require.Nil(t, refused)
	if chain != nil {
		f.answers.remember(&chainNode{}, &chainAnswer{chains: []*verifiedChain{newVerifiedChain(chain)}})
	}
	return f
}

func keyOfCerts(certs ...*x509.Certificate) source.Key {
	var k source.Key
	for _, cert := range certs {
		k = append(k, string(cert.Raw))
	}
	return k
}

// The next request is recognised by the DER of its certificates. Facts about certificates whose
// other fields were changed are not facts about that DER.
func TestFacts_WhatDiffersFromItsDERIsNotRemembered(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	issuing, unused := root.NewIntermediate(t, "Issuing").Certificate, root.NewIntermediate(t, "Unused").Certificate
	leaf := root.Issue(t, "client").Certificate
	changed := func(cert *x509.Certificate) *x509.Certificate {
		other := *cert
		other.NotAfter = other.NotAfter.AddDate(10, 0, 0)
		return &other
	}
	for _, tc := range []struct {
		name  string
		certs []*x509.Certificate
		chain bool // the first two are in a chain
		want  bool
	}{
		{"a leaf, pinned", []*x509.Certificate{leaf}, false, true},
		{"a changed leaf, pinned", []*x509.Certificate{changed(leaf)}, false, false},
		{"a chain", []*x509.Certificate{leaf, issuing}, true, true},
		{"a changed leaf in a chain", []*x509.Certificate{changed(leaf), issuing}, true, false},
		{"a changed CA in a chain", []*x509.Certificate{leaf, changed(issuing)}, true, false},
		{"a changed CA in no chain", []*x509.Certificate{leaf, changed(unused)}, false, true},
		{"a changed CA beside a chain", []*x509.Certificate{leaf, issuing, changed(unused)}, true, true},
	} {
		var chain []*x509.Certificate
		if tc.chain {
			chain = []*x509.Certificate{tc.certs[0], tc.certs[1], root.Certificate}
		}
		assert.Equal(t, tc.want, factsIn(t, tc.certs, chain...).memorable(keyOfCerts(tc.certs...)), tc.name)
	}
}

// The certificates that a caller sends along are limited: 8 KiB in addition to twice the leaf,
// because text is longer than DER.
func TestFacts_LargeKeysAreNotRemembered(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client").Certificate
	f := factsIn(t, []*x509.Certificate{leaf})
	fits := 8192 + 2*len(leaf.Raw)
	assert.True(t, f.memorable(source.Key{strings.Repeat("x", fits)}))
	assert.False(t, f.memorable(source.Key{strings.Repeat("x", fits+1)}))
	big := func(size int) *source.Offer {
		return &source.Offer{Certificates: []*x509.Certificate{leaf, {Raw: make([]byte, size)}}}
	}
	assert.True(t, recognisable(big(8192)))
	assert.False(t, recognisable(big(8193)))
}

// keyedBy returns a source that reads certificates from texts.
func keyedBy(decode func() ([]*x509.Certificate, error)) *source.Reader {
	return &source.Reader{Decode: func(source.Offer, func([]byte) error) ([]*x509.Certificate, error) { return decode() }}
}

// Released certificates stay the same as long as they are in use, and are later read again from the
// texts: those in chains that were found, without unusable ones. If the source then reads something
// else, only the leaf remains.
func TestFacts_WhatWasReleasedIsReadAgain(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	issuing, unused := root.NewIntermediate(t, "Issuing").Certificate, root.NewIntermediate(t, "Unused").Certificate
	leaf := root.Issue(t, "client").Certificate
	parsed := func(cert *x509.Certificate) *x509.Certificate {
		again, err := x509.ParseCertificate(cert.Raw)
		require.NoError(t, err)
		return again
	}
	released := func(decode func() ([]*x509.Certificate, error)) (*facts, *sent) {
		f := factsIn(t, []*x509.Certificate{leaf, issuing, unused}, leaf, issuing, root.Certificate)
		f.Key, f.source = source.Key{"text"}, keyedBy(decode)
		before := f.sent()
		f.release()
		require.Nil(t, f.presented.held.Load())
		return f, before
	}
	all := func() ([]*x509.Certificate, error) {
		return []*x509.Certificate{parsed(leaf), parsed(issuing), parsed(unused), parsed(leaf)}, nil
	}
	f, before := released(all)
	assert.Same(t, before, f.sent(), "it is still in use")
	runtime.KeepAlive(before)
	id := &Identity{}
	f.handOut(id)
	assert.Same(t, id, f.handedOut(), "it is still in use")
	runtime.KeepAlive(id)

	for _, tc := range []struct {
		name   string
		decode func() ([]*x509.Certificate, error)
		want   int
	}{
		{"the same", all, 3}, // a copy of the leaf is of no use
		{"nothing", func() ([]*x509.Certificate, error) { return nil, nil }, 1},
		{"an error", func() ([]*x509.Certificate, error) { p, _ := all(); return p, errors.New("no") }, 1},
		{"another leaf", func() ([]*x509.Certificate, error) {
			return []*x509.Certificate{parsed(issuing), parsed(unused)}, nil
		}, 1},
		{"a certificate that is none", func() ([]*x509.Certificate, error) {
			return []*x509.Certificate{parsed(leaf), {}}, nil
		}, 1},
		{"a panic", func() ([]*x509.Certificate, error) { panic("decode") }, 1},
	} {
		f := factsIn(t, []*x509.Certificate{leaf, issuing, unused}, leaf, issuing, root.Certificate)
		f.Key, f.source = source.Key{"text"}, keyedBy(tc.decode)
		f.presented.held.Store(nil)
		again := f.sent()
		require.Len(t, again.certs, tc.want, tc.name)
		assert.Same(t, leaf, again.certs[0], tc.name)
		if tc.want > 1 {
			assert.Same(t, issuing, again.certs[1], "the same member of the chain")
		}
		assert.Same(t, again, f.sent(), "%s: once for all users", tc.name)
		runtime.KeepAlive(again)
	}
}

// A presented certificate in the chain of any Chain of the policy is used.
func TestFacts_ChainsOfEveryNodeCount(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	first, second, third := root.NewIntermediate(t, "1").Certificate, root.NewIntermediate(t, "2").Certificate, root.NewIntermediate(t, "3").Certificate
	leaf := root.Issue(t, "client").Certificate
	f := factsIn(t, []*x509.Certificate{leaf, first, second, third})
	for place, ca := range []*x509.Certificate{first, second, third} {
		f.answers.remember(&chainNode{place: place, among: &chainNodes{}}, &chainAnswer{chains: []*verifiedChain{newVerifiedChain([]*x509.Certificate{leaf, ca})}})
	}
	count := 0
	for range f.answers.all() {
		count++
	}
	assert.Equal(t, 3, count)
	for range f.answers.all() {
		count++
		break
	}
	assert.Equal(t, 4, count, "the iteration ends when the caller stops")
	for _, cert := range []*x509.Certificate{first, second, third} {
		assert.True(t, f.uses(cert))
	}
}
