package chainsearch

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
	"github.com/seed2886b8ae/go-certauth/internal/nameconstraints"
	"github.com/seed2886b8ae/go-certauth/internal/randomly"
)

// arrived returns a certificate as it arrives with a request: newly parsed.
func arrived(t *testing.T, cert *x509.Certificate) *x509.Certificate {
	t.Helper()
	again, err := x509.ParseCertificate(slices.Clone(cert.Raw))
	require.NoError(t, err)
	return again
}

// What earlier searches have learned about the signatures of CAs changes no answer: with random
// CAs, of which a reload removes some and restores some, and which callers send along in any number
// and order.
func TestChain_WhatEarlierSearchesLearnedChangesNoAnswer(t *testing.T) {
	seed, worlds := randomly.Seed(t, 20)
	keys := signers(t, 0)
	accepted, refused := 0, 0
	for number := range worlds {
		w := newWorld(t, seed, uint64(number), keys)
		for range 3 { // more of the same keys and names
			w.cas = append(w.cas, w.ca(w.parent(), 2+w.IntN(5)))
		}
		var roots, intermediates []*Pool
		for range 3 {
			roots = append(roots, w.poolOf([]*x509.Certificate{w.cas[w.IntN(w.roots)].Certificate, w.cas[w.IntN(len(w.cas))].Certificate}))
			intermediates = append(intermediates, w.poolOf(w.subset(w.cas[w.IntN(3):])))
		}
		var leaves []*x509.Certificate
		for range 5 {
			leaves = append(leaves, w.leaf())
		}
		settings, admitted := w.settings(), &Admissions{}
		for range 20 {
			certs := []*x509.Certificate{arrived(t, leaves[w.IntN(len(leaves))])}
			for range w.IntN(7) {
				certs = append(certs, arrived(t, w.cas[w.IntN(len(w.cas))].Certificate))
			}
			now := w.now.Add(time.Duration(w.IntN(9)-4) * 30 * time.Second)
			root, intermediate := roots[w.IntN(3)], intermediates[w.IntN(3)]
			got := settings.Find(leafOf(certs...), CAs{root, intermediate}, now, admitted)
			want := find(settings, anew(root), anew(intermediate), now, certs...)
			require.Equal(t, account(certs[0], want), account(certs[0], got), "seed %d, world %d", seed, number)
			if got.Refused == nil {
				accepted++
			} else {
				refused++
			}
		}
	}
	t.Logf("%d accepted, %d refused", accepted, refused)
	assert.NotZero(t, accepted)
	assert.NotZero(t, refused)
}

// A search finds exactly the existing chains: with random CAs, compared with all paths up through
// the CAs, each verified separately by crypto/x509.
func TestChain_FindsEveryChainAndNoOther(t *testing.T) {
	seed, worlds := randomly.Seed(t, 20)
	keys := signers(t, 0)
	accepted, refused := 0, 0
	for number := range worlds {
		w := newWorld(t, seed, uint64(number), keys)
		for range 2 {
			w.cas = append(w.cas, w.ca(w.parent(), 2+w.IntN(5)))
		}
		roots := w.poolOf([]*x509.Certificate{w.cas[0].Certificate, w.cas[w.IntN(len(w.cas))].Certificate})
		intermediates := w.poolOf(w.subset(w.cas))
		for range 6 {
			settings := w.settings()
			certs := []*x509.Certificate{w.leaf()}
			if w.one(2) {
				certs = append(certs, w.subset(w.cas)...)
			}
			now := w.now.Add(time.Duration(w.IntN(9)-4) * 30 * time.Second)
			leaf := leafOf(certs...)
			if leaf.Fault.IsOfExtension() || certs[0].IsCA { // refused before a search
				continue
			}
			every := &waysUp{Settings: settings, leaf: leaf, now: now, roots: roots.certs, others: slices.Clone(intermediates.certs)}
			every.admit(certs[1:])
			every.above(certs[:1])
			if every.twin {
				every.found = nil
			}
			var got, invalid []string
			found := find(settings, roots, intermediates, now, certs...)
			for _, chain := range found.Chains {
				got = append(got, serialsOf(chain))
			}
			for _, chain := range found.Invalid {
				invalid = append(invalid, serialsOf(chain))
			}
			assert.ElementsMatch(t, every.found, got, "seed %d, world %d", seed, number)
			if len(got) > 0 {
				assert.ElementsMatch(t, every.invalid, invalid, "seed %d, world %d, refused", seed, number)
			}
			if len(got) > 0 {
				accepted++
			} else {
				refused++
			}
		}
	}
	t.Logf("%d accepted, %d refused", accepted, refused)
	assert.NotZero(t, accepted)
	assert.NotZero(t, refused)
}

// waysUp finds all paths from a leaf to the roots.
type waysUp struct {
	Settings

	leaf          Leaf
	now           time.Time
	roots, others []*x509.Certificate
	found         []string
	invalid       []string // by names and signatures, but refused for another reason
	twin          bool     // one of either has a CA with the name and the key of the leaf
}

func serialsOf(chain []*x509.Certificate) string {
	text := ""
	for _, cert := range chain {
		text += fmt.Sprint(cert.SerialNumber, " ")
	}
	return text
}

func haveSameNameAndKey(a, b *x509.Certificate) bool {
	return bytes.Equal(a.RawSubject, b.RawSubject) && bytes.Equal(a.RawSubjectPublicKeyInfo, b.RawSubjectPublicKeyInfo)
}

func hasIssued(ca, child *x509.Certificate) bool {
	return bytes.Equal(ca.RawSubject, child.RawIssuer) && ca.CheckSignature(child.SignatureAlgorithm, child.RawTBSCertificate, child.Signature) == nil
}

// admit adds the CAs that one of the others has issued.
func (w *waysUp) admit(presented []*x509.Certificate) {
	for range presented {
		for _, ca := range presented {
			all := slices.Concat(w.roots, w.others)
			if !slices.ContainsFunc(all, ca.Equal) && slices.ContainsFunc(all, func(by *x509.Certificate) bool { return hasIssued(by, ca) }) {
				w.others = append(w.others, ca)
			}
		}
	}
}

func (w *waysUp) above(chain []*x509.Certificate) {
	child := chain[len(chain)-1]
	for i, ca := range slices.Concat(w.roots, w.others) {
		if !hasIssued(ca, child) || slices.ContainsFunc(chain[1:], func(below *x509.Certificate) bool { return haveSameNameAndKey(below, ca) }) {
			continue
		}
		longer := append(slices.Clone(chain), ca)
		if i >= len(w.roots) {
			w.above(longer)
			continue
		}
		w.twin = w.twin || slices.ContainsFunc(longer[1:], func(ca *x509.Certificate) bool { return haveSameNameAndKey(longer[0], ca) })
		if len(longer)-1 <= w.MaxDepth && w.verifies(longer) {
			w.found = append(w.found, serialsOf(longer))
		} else {
			w.invalid = append(w.invalid, serialsOf(longer))
		}
	}
}

// pathLengthsHold is RFC 5280, section 6.1.4 (l) and (m), from the root down. crypto/x509 counts self-issued
// CAs too.
func pathLengthsHold(chain []*x509.Certificate) bool {
	permitted := len(chain)
	for i := len(chain) - 1; i > 0; i-- {
		ca := chain[i]
		if i < len(chain)-1 && !bytes.Equal(ca.RawSubject, ca.RawIssuer) {
			if permitted == 0 {
				return false
			}
			permitted--
		}
		if ca.MaxPathLen >= 0 {
			permitted = min(permitted, ca.MaxPathLen)
		}
	}
	return true
}

// verifies lets crypto/x509 verify one chain, at each time within the skew at which a validity begins or ends.
func (w *waysUp) verifies(chain []*x509.Certificate) bool {
	leaf := w.leaf.Certificate
	if w.leaf.Fault != certcheck.NoFault || nameconstraints.Check(chain, new(int)) != nil {
		return false
	}
	if slices.ContainsFunc(chain[1:], func(ca *x509.Certificate) bool { return certcheck.FaultOfCA(ca) != certcheck.NoFault }) {
		return false
	}
	if !pathLengthsHold(chain) || slices.ContainsFunc(chain, func(cert *x509.Certificate) bool { return certcheck.Outside(cert, w.now, w.Skew) }) {
		return false
	}
	options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if w.ServerAuth {
		options.KeyUsages = append(options.KeyUsages, x509.ExtKeyUsageServerAuth)
	}
	client := *leaf
	client.RawSubject = nil // crypto/x509 does not use its name and key again
	if w.Policies != "" {
		client.RequireExplicitPolicy, client.RequireExplicitPolicyZero = 0, true
		id, err := x509.ParseOID(w.Policies)
		if err != nil {
			return false
		}
		options.CertificatePolicies = []x509.OID{id}
	}
	for i, ca := range chain[1:] {
		unlimited := *view(ca)
		unlimited.NotBefore, unlimited.NotAfter = ca.NotBefore, ca.NotAfter
		unlimited.ExtKeyUsage, unlimited.UnknownExtKeyUsage = ca.ExtKeyUsage, ca.UnknownExtKeyUsage
		if i == len(chain)-2 {
			options.Roots.AddCert(&unlimited)
		} else {
			options.Intermediates.AddCert(&unlimited)
		}
	}
	times := []time.Time{w.now, w.now.Add(-w.Skew), w.now.Add(w.Skew)}
	for _, cert := range chain {
		times = append(times, cert.NotBefore, cert.NotAfter)
	}
	return slices.ContainsFunc(times, func(at time.Time) bool {
		if at.Before(w.now.Add(-w.Skew)) || at.After(w.now.Add(w.Skew)) {
			return false
		}
		options.CurrentTime = at
		found, err := client.Verify(options)
		return err == nil && slices.ContainsFunc(found, func(other []*x509.Certificate) bool { return serialsOf(other) == serialsOf(chain) })
	})
}

// An answer is valid as long as a search would find the same, with and without a clock skew: at
// every date of every certificate, and just before and after it.
func TestChain_AnswersHoldAsLongAsASearchFindsTheSame(t *testing.T) {
	seed, worlds := randomly.Seed(t, 20)
	keys := signers(t, 0)
	compared := 0
	for number := range worlds {
		w := newWorld(t, seed, uint64(number), keys)
		roots := w.poolOf([]*x509.Certificate{w.cas[0].Certificate, w.cas[w.IntN(len(w.cas))].Certificate})
		intermediates := w.poolOf(w.subset(w.cas))
		settings := w.settings()
		for range 3 {
			certs := []*x509.Certificate{w.leaf()}
			if w.one(2) {
				certs = append(certs, w.subset(w.cas)...)
			}
			var answers []Result
			edges := edgesOf(append(certs, roots.certs...), settings.Skew)
			for range 15 {
				now := edges[w.IntN(len(edges))]
				answer := find(settings, roots, intermediates, now, certs...)
				assert.True(t, holdsAt(answer, now))
				for _, known := range answers {
					if !holdsAt(known, now) {
						continue
					}
					compared++
					about := fmt.Sprintf("seed %d, world %d, at %v", seed, number, now)
					assert.True(t, known.From.Equal(answer.From) && known.Until.Equal(answer.Until), about)
					assertSameAnswer(t, known, answer, about)
				}
				answers = append(answers, answer)
			}
		}
	}
	t.Logf("%d compared", compared)
	assert.NotZero(t, compared)
}

// edgesOf returns the ends of all validity periods, with and without the skew, and the times next
// to them.
func edgesOf(certs []*x509.Certificate, skew time.Duration) []time.Time {
	var edges []time.Time
	for _, cert := range certs {
		for _, at := range []time.Time{cert.NotBefore, cert.NotAfter} {
			for _, moved := range []time.Duration{-skew, 0, skew} {
				edges = append(edges, at.Add(moved-1), at.Add(moved), at.Add(moved+1), at.Add(moved+time.Second))
			}
		}
	}
	return edges
}

// assertSameAnswer compares two answers, except for the time in their texts.
func assertSameAnswer(t *testing.T, a, b Result, about string) {
	t.Helper()
	same := func(a, b []*x509.Certificate) bool { return slices.EqualFunc(a, b, (*x509.Certificate).Equal) }
	assert.True(t, slices.EqualFunc(a.Chains, b.Chains, same), about)
	assert.Equal(t, kindOf(a), kindOf(b), about)
	assert.Equal(t, a.Dated, b.Dated, about)
}

func holdsAt(found Result, now time.Time) bool {
	return !now.Before(found.From) && now.Before(found.Until)
}

// A self-signed CA among the intermediates leads nowhere, but its dates are the reason that is reported.
func TestChain_RefusalForTheDateOfASelfSignedIntermediateEndsWithIt(t *testing.T) {
	now := time.Now()
	begins := now.Add(time.Hour).Truncate(time.Second)
	own := certauthtest.NewCA(t, "Own", certauthtest.Valid(begins, begins.AddDate(1, 0, 0)))
	leaf := own.Issue(t, "client", certauthtest.Valid(now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0))).Certificate
	roots := newPool(t, certauthtest.NewCA(t, "Root").Certificate)
	answer := find(Settings{MaxDepth: defaultMaxDepth}, roots, newPool(t, own.Certificate), now, leaf)
	assert.Equal(t, certcheck.NotYetValid, kindOf(answer))
	assert.True(t, answer.Until.Equal(begins), "%v", answer.Until)
}

// finding R8: a refusal because of the dates of a CA that is higher than MaxDepth permits was
// remembered beyond those dates.
func TestChain_RefusalForADateAboveMaxDepthEndsWithIt(t *testing.T) {
	now := time.Now()
	long := certauthtest.Valid(now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0))
	begins := now.Add(time.Hour).Truncate(time.Second)
	root := certauthtest.NewCA(t, "Root", certauthtest.Valid(begins, begins.AddDate(1, 0, 0)))
	issuing := root.NewIntermediate(t, "Issuing", long)
	leaf := issuing.Issue(t, "client", long).Certificate
	answer := find(Settings{MaxDepth: 1}, newPool(t, root.Certificate), newPool(t, issuing.Certificate), now, leaf)
	assert.Equal(t, certcheck.NotYetValid, kindOf(answer))
	assert.True(t, answer.Until.Equal(begins), "%v", answer.Until)
}
