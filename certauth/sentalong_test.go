package certauth_test

import (
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// patched returns a certificate with the first occurrence of some bytes replaced: the parser
// determines the result, and the signature is no longer valid.
func patched(t testing.TB, cert *x509.Certificate, old, replacement string) []byte {
	t.Helper()
	require.Contains(t, string(cert.Raw), old)
	require.Len(t, replacement, len(old))
	return []byte(strings.Replace(string(cert.Raw), old, replacement, 1))
}

// unusable returns certificates that real clients send along, which crypto/x509 cannot read or this
// library does not use.
func unusable(t testing.TB) map[string][]byte {
	t.Helper()
	root := newRoot(t, "Old Root", func(c *x509.Certificate) { c.SerialNumber = big.NewInt(0x4321) })
	weak := issue(t, root, nil, "Weak")
	rsa1024 := create(t, &x509.Certificate{SerialNumber: big.NewInt(9), NotBefore: root.NotBefore, NotAfter: root.NotAfter, BasicConstraintsValid: true, IsCA: true},
		root.Certificate, &rsa.PublicKey{N: oddNumber(1024), E: 65537}, root.key)
	p224 := create(t, &x509.Certificate{SerialNumber: big.NewInt(9), NotBefore: root.NotBefore, NotAfter: root.NotAfter, BasicConstraintsValid: true, IsCA: true},
		root.Certificate, newECKey(t, elliptic.P224()).Public(), root.key)
	return map[string][]byte{
		"negative serial number":               patched(t, root.Certificate, "\x02\x02\x43\x21", "\x02\x02\x95\x21"),
		"version 1":                            patched(t, weak.Certificate, "\xa0\x03\x02\x01\x02", "\xa0\x03\x02\x01\x00"),
		"an unknown curve":                     patched(t, root.Certificate, "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", "\x06\x08\x2b\x24\x03\x03\x02\x08\x01\x07"),
		"RSA-1024":                             rsa1024.Raw,
		"P-224":                                p224.Raw,
		"nothing but a sequence in a sequence": {0x30, 2, 0x30, 0},
	}
}

// finding C10: a certificate that was sent along, not needed and not usable, caused a refusal: the
// Go Daddy and Starfield roots with serial number 0, roots of version 1, curves that crypto/x509
// does not support, RSA keys of 1024 bits.
func TestSentAlong_WhatCannotBeUsedIsNoCandidate(t *testing.T) {
	root := newRoot(t, "Root")
	issuing := root.newCA(t, "Issuing")
	leaf := issuing.newClient(t)
	zero := issue(t, nil, nil, "Root of serial 0", asCA)
	spare := unusable(t)
	spare["serial number 0"] = serialZero(t, zero)
	for name, der := range spare {
		t.Run(name, func(t *testing.T) {
			for _, order := range [][][]byte{
				{leaf.Raw, issuing.Raw, der},
				{leaf.Raw, der, issuing.Raw},
				{leaf.Raw, der, der, der, issuing.Raw, der, der, der, der, der},
			} {
				assert.Equal(t, certauth.ReasonNone, reasonOf(sendChain(t, root.roots(), order...)))
			}
			assert.Equal(t, certauth.ReasonCertificateMalformed, reasonOf(sendChain(t, root.roots(), der, issuing.Raw)), "as the leaf")
			eleven := [][]byte{leaf.Raw}
			for range 10 {
				eleven = append(eleven, der)
			}
			assert.Equal(t, certauth.ReasonCertificateMalformed, reasonOf(sendChain(t, root.roots(), eleven...)), "they count")
		})
	}
	for name, der := range map[string][]byte{
		"a byte too many":       append(append([]byte{}, issuing.Raw...), 0),
		"a byte too few":        issuing.Raw[:len(issuing.Raw)-1],
		"two in one":            append(append([]byte{}, issuing.Raw...), issuing.Raw...),
		"not a sequence":        {4, 2, 0x30, 0},
		"a sequence of nothing": {0x30, 0},
		"an indefinite length":  {0x30, 0x80, 0x30, 0, 0, 0},
		"a length too long":     {0x30, 0x81, 2, 0x30, 0},
		"too large":             append([]byte{0x30, 0x82, 0x40, 0x00, 0x30, 0x82, 0x3F, 0xFC}, make([]byte, 16<<10-4)...),
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, certauth.ReasonCertificateMalformed, reasonOf(sendChain(t, root.roots(), leaf.Raw, issuing.Raw, der)))
		})
	}
	t.Run("the identity does not hold it", func(t *testing.T) {
		auth, err := certauth.New(certauth.Config{Source: forwarded.Traefik{From: forwarded.InsecureAnyPeer()}, Policy: root.roots()})
		require.NoError(t, err)
		id, err := auth.Check(traefikRequest(leaf.Raw, spare["negative serial number"], issuing.Raw))
		require.NoError(t, err)
		require.Len(t, id.Presented, 2)
		assert.Equal(t, issuing.Raw, id.Presented[1].Raw)
	})
}

// serialZero returns the certificate with the serial number 0, signed again.
func serialZero(t testing.TB, p *party) []byte {
	t.Helper()
	template := *p.Certificate
	template.SerialNumber = big.NewInt(0x55)
	der := create(t, &template, &template, p.key.Public(), p.key).Raw
	return []byte(strings.Replace(string(der), "\x02\x01\x55", "\x02\x01\x00", 1))
}

func traefikRequest(ders ...[]byte) *http.Request {
	var items []string
	for _, der := range ders {
		items = append(items, base64.StdEncoding.EncodeToString(der))
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Forwarded-Tls-Client-Cert", strings.Join(items, ","))
	return r
}

// sendChain sends leaf and chain in each form that carries several certificates, and requires the
// same answer.
func sendChain(t *testing.T, policy certauth.Policy, ders ...[]byte) error {
	t.Helper()
	var text strings.Builder
	var sequences []string
	for i, der := range ders {
		require.NoError(t, pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: der}))
		if i > 0 {
			sequences = append(sequences, ":"+base64.StdEncoding.EncodeToString(der)+":")
		}
	}
	spaced := func(der []byte) string {
		return strings.TrimSpace(strings.ReplaceAll(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), "\n", " "))
	}
	from := forwarded.InsecureAnyPeer()
	requests := []struct {
		source certauth.Source
		header map[string]string
	}{
		{forwarded.Traefik{From: from}, map[string]string{"X-Forwarded-Tls-Client-Cert": traefikRequest(ders...).Header.Get("X-Forwarded-Tls-Client-Cert")}},
		{forwarded.RFC9440{From: from, Chain: true}, map[string]string{"Client-Cert": ":" + base64.StdEncoding.EncodeToString(ders[0]) + ":", "Client-Cert-Chain": strings.Join(sequences, ", ")}},
		{forwarded.Header{From: from, Name: "X-Cert", Format: forwarded.FormatURLPEMChain}, map[string]string{"X-Cert": strings.ReplaceAll(url.QueryEscape(text.String()), "+", "%20")}},
		{forwarded.Header{From: from, Name: "X-Cert", Format: forwarded.FormatSpacedPEM, ChainName: "X-Chain", ChainFormat: forwarded.ChainSpacedPEMNumbered}, func() map[string]string {
			all := map[string]string{"X-Cert": spaced(ders[0])}
			for i, der := range ders[1:] {
				all["X-Chain"+string(rune('0'+i))] = spaced(der)
			}
			return all
		}()},
	}
	var answer error
	for i, one := range requests {
		auth, err := certauth.New(certauth.Config{Source: one.source, Policy: policy})
		require.NoError(t, err)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		for name, value := range one.header {
			r.Header.Set(name, value)
		}
		_, err = auth.Check(r)
		if i > 0 {
			assert.Equal(t, reasonOf(answer), reasonOf(err), "%T: %v", one.source, err)
		}
		answer = err
	}
	return answer
}

// junk makes certificates that are small when sent and large when parsed, each with bytes different
// from all before.
type junk struct {
	der  []byte
	made int
}

// newJunk makes certificates of about size bytes, full of one-letter URIs.
func newJunk(t *testing.T, size int) *junk {
	t.Helper()
	ca := certauthtest.NewCA(t, "Stranger")
	var names []asn1.RawValue
	for n := 350; n < size; n += 4 {
		names = append(names, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte("a:")})
	}
	value, err := asn1.Marshal(names)
	require.NoError(t, err)
	cert := ca.Issue(t, "x", func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value})
	})
	return &junk{der: cert.Raw}
}

// next changes only the signature.
func (j *junk) next(t *testing.T) *x509.Certificate {
	t.Helper()
	j.made++
	der := slices.Clone(j.der)
	at := len(der) - 24
	der[at], der[at+1], der[at+2] = byte(j.made), byte(j.made>>8), byte(j.made>>16)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert
}

// carrier sends certificates to an Authenticator.
type carrier struct {
	name    string
	source  certauth.Source
	request func(certs ...*x509.Certificate) *http.Request
}

func carriersOfChains() []carrier {
	anybody := forwarded.InsecureAnyPeer()
	with := func(set func(header http.Header, certs []*x509.Certificate)) func(...*x509.Certificate) *http.Request {
		return func(certs ...*x509.Certificate) *http.Request {
			r := request()
			set(r.Header, certs)
			return r
		}
	}
	encoded := func(cert *x509.Certificate) string { return base64.StdEncoding.EncodeToString(cert.Raw) }
	return []carrier{
		{"the connection", certauth.TLS{}, func(certs ...*x509.Certificate) *http.Request {
			r := request()
			r.TLS = &tls.ConnectionState{PeerCertificates: certs}
			return r
		}},
		{"one header", forwarded.Traefik{From: anybody}, with(func(header http.Header, certs []*x509.Certificate) {
			var list []string
			for _, cert := range certs {
				list = append(list, encoded(cert))
			}
			header.Set("X-Forwarded-Tls-Client-Cert", strings.Join(list, ","))
		})},
		{
			"numbered headers",
			forwarded.Header{From: anybody, Name: "X-Cert", Format: forwarded.FormatBase64DER, ChainName: "X-Chain", ChainFormat: forwarded.ChainBase64Numbered},
			with(func(header http.Header, certs []*x509.Certificate) {
				header.Set("X-Cert", encoded(certs[0]))
				for i, cert := range certs[1:] {
					header.Set(fmt.Sprintf("X-Chain_%d", i), encoded(cert))
				}
			}),
		},
		{"a chain header", forwarded.RFC9440{From: anybody, Chain: true}, with(func(header http.Header, certs []*x509.Certificate) {
			header.Set("Client-Cert", ":"+encoded(certs[0])+":")
			for _, cert := range certs[1:] {
				header.Add("Client-Cert-Chain", ":"+encoded(cert)+":")
			}
		})},
	}
}

// finding S4: nine junk certificates together with an accepted one permanently took 4 MB, and one
// client could have sixteen such entries, or thousands.
func TestSent_JunkWithAnAcceptedCertificateTakesLittle(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	const callers, variants, entry = 4, 5, 16 << 10
	root := certauthtest.NewCA(t, "Root")
	for _, size := range []int{700, 2500, 5900, 11500} {
		made := newJunk(t, size)
		for _, c := range carriersOfChains() {
			t.Run(fmt.Sprintf("%s, %d bytes each", c.name, size), func(t *testing.T) {
				auth := must(t, certauth.Config{Source: c.source, Policy: chainOf(root)})
				_, err := auth.Check(c.request(root.Issue(t, "first").Certificate)) // makes the room for all
				require.NoError(t, err)
				before := heapNow()
				for range callers {
					leaf := root.Issue(t, "client").Certificate
					for range variants {
						certs := []*x509.Certificate{leaf}
						for total := 0; len(certs) < 10 && total+size < 46_000; total += size * 4 / 3 {
							certs = append(certs, made.next(t))
						}
						for range 2 {
							_, err := auth.Check(c.request(certs...))
							require.NoError(t, err)
						}
						for most := 1; most < len(certs); most++ { // at least one chain is short enough to be remembered
							_, err := auth.Check(c.request(certs[:most+1]...))
							require.NoError(t, err)
						}
					}
				}
				each := (int64(heapNow()) - int64(before)) / (callers * 4) // a leaf has four places
				t.Logf("%d bytes an entry", each)
				assert.Less(t, each, int64(entry))
				runtime.KeepAlive(auth)
			})
		}
	}
}

// finding S4: of a caller that sends along what no chain uses, only the leaf stays in memory. The
// identity refers to all that was sent, so a remembered caller keeps it only as long as a request
// does; that of any other caller is the same for every request.
func TestSent_OnlyAnIdentityWithoutJunkIsKept(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	issuing, stranger := root.NewIntermediate(t, "Issuing"), certauthtest.NewCA(t, "Stranger")
	for _, c := range carriersOfChains() {
		for name, tc := range map[string]struct {
			issuer *certauthtest.CA
			along  []*x509.Certificate
			kept   bool
		}{
			"nothing":          {root, nil, true},
			"its issuer":       {issuing, []*x509.Certificate{issuing.Certificate}, true},
			"a stranger":       {root, []*x509.Certificate{stranger.Certificate}, false},
			"one more as well": {issuing, []*x509.Certificate{issuing.Certificate, stranger.Certificate}, false},
		} {
			t.Run(c.name+", with "+name, func(t *testing.T) {
				auth := must(t, certauth.Config{Source: c.source, Policy: chainOf(root)})
				certs := append([]*x509.Certificate{tc.issuer.Issue(t, "client").Certificate}, tc.along...)
				handedOut := func() weak.Pointer[certauth.Identity] {
					var last weak.Pointer[certauth.Identity]
					for range 4 {
						id, err := auth.Check(c.request(certs...))
						require.NoError(t, err)
						require.Equal(t, certs, id.Presented)
						last = weak.Make(id)
					}
					return last
				}
				for range 3 {
					last := handedOut()
					runtime.GC()
					runtime.GC()
					assert.Equal(t, tc.kept, last.Value() != nil)
				}
				runtime.KeepAlive(auth)
			})
		}
	}
}

func heapNow() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// finding S4: the first Check over TLS parsed and compared every certificate that was sent.
func TestSent_JunkIsNotParsedAgain(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	root := certauthtest.NewCA(t, "Root")
	made := newJunk(t, 11500)
	auth := must(t, certauth.Config{Source: certauth.TLS{}, Policy: chainOf(root)})
	check := func(beside int) uint64 {
		certs := []*x509.Certificate{root.Issue(t, "client").Certificate}
		for range beside {
			certs = append(certs, made.next(t))
		}
		r := request()
		r.TLS = &tls.ConnectionState{PeerCertificates: certs}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := auth.Check(r)
		runtime.ReadMemStats(&after)
		require.NoError(t, err)
		return after.TotalAlloc - before.TotalAlloc
	}
	check(0)
	alone, beside := check(0), check(9)
	t.Logf("%d bytes alone, %d beside junk", alone, beside)
	assert.Less(t, beside, alone+64<<10)
}

// finding S4: certificates that are not kept are still available, for the identity, for a route and
// for a search after a reload, and are the same as at the first visit.
func TestSent_WhatIsNotKeptIsReadAgain(t *testing.T) {
	root, other := certauthtest.NewCA(t, "Root"), certauthtest.NewCA(t, "Other Root")
	issuing := root.NewIntermediate(t, "Issuing")
	stranger := certauthtest.SelfSigned(t, "stranger").Certificate
	leaf := issuing.Issue(t, "client").Certificate
	sentAlong := []*x509.Certificate{leaf, stranger, issuing.Certificate, root.Certificate}
	for _, c := range carriersOfChains() {
		for name, policy := range map[string]func(roots certauth.CertSource) certauth.Policy{
			"under a chain": func(roots certauth.CertSource) certauth.Policy { return certauth.Chain{Roots: roots} },
			"under a pin":   func(certauth.CertSource) certauth.Policy { return certauth.Certificates(leaf) },
		} {
			t.Run(c.name+", "+name, func(t *testing.T) {
				roots := swapped{certs: []*x509.Certificate{root.Certificate}}
				auth := must(t, certauth.Config{Source: c.source, Policy: policy(roots.source())})
				route := auth.Require(certauth.Chain{Roots: certsOf(root)})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					id, ok := certauth.FromContext(r.Context())
					if assert.True(t, ok) {
						assert.Equal(t, sentAlong, id.Presented)
						assert.Same(t, id.Leaf, id.Presented[0])
					}
				}))
				visit := func() {
					t.Helper()
					recorder := httptest.NewRecorder()
					auth.Handler(route).ServeHTTP(recorder, c.request(sentAlong...))
					assert.Equal(t, http.StatusOK, recorder.Code)
				}
				for range 3 {
					id, err := auth.Check(c.request(sentAlong...))
					require.NoError(t, err)
					assert.Equal(t, sentAlong, id.Presented)
					heapNow()
				}
				visit()
				heapNow()
				visit()
				if name == "under a chain" {
					roots.set(t, auth, other.Certificate)
					_, err := auth.Check(c.request(sentAlong...))
					assertReason(t, certauth.ReasonChainUntrusted, err)
					roots.set(t, auth, other.Certificate, root.Certificate)
				}
				visit()
			})
		}
	}
}

// finding S4: one client displaced others by sending its certificate with ever new other ones.
func TestSent_OneClientDisplacesNobody(t *testing.T) {
	w := newWorld(t)
	texts := map[string]*x509.Certificate{}
	const others = 12 // they share one set with the client: sixteen places
	for i := range others {
		texts[fmt.Sprintf("%d|", i)] = w.issue(t)
	}
	for i := range 400 {
		texts[fmt.Sprintf("client|%d|", i)] = w.leaf.Certificate
	}
	source := meaning(texts)
	source.spread = "the same for all"
	c := newCached(t, source, w.chain(), func(config *certauth.Config) { config.CacheSize = 16 })
	for range 3 {
		for i := range others {
			c.once(t, certauth.ReasonNone, fmt.Sprint(i))
		}
	}
	for i := range 400 {
		c.once(t, certauth.ReasonNone, "client", fmt.Sprint(i))
		c.once(t, certauth.ReasonNone, "client", fmt.Sprint(i))
	}
	read := int(source.decodes.Load())
	for i := range others {
		c.once(t, certauth.ReasonNone, fmt.Sprint(i))
	}
	decoded(t, source, read)
}

// Many goroutines read released certificates again, while garbage collections remove them.
func TestSent_UnderLoad(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	issuing := root.NewIntermediate(t, "Issuing")
	stranger := certauthtest.SelfSigned(t, "stranger").Certificate
	for _, c := range carriersOfChains() {
		t.Run(c.name, func(t *testing.T) {
			auth := must(t, certauth.Config{Source: c.source, Policy: chainOf(root)})
			var callers [][]*x509.Certificate
			for range 3 {
				callers = append(callers, []*x509.Certificate{issuing.Issue(t, "client").Certificate, stranger, issuing.Certificate})
			}
			var group sync.WaitGroup
			for worker := range 8 {
				group.Go(func() {
					for i := range 40 {
						certs := callers[(worker+i)%len(callers)]
						id, err := auth.Check(c.request(certs...))
						if assert.NoError(t, err) {
							assert.Equal(t, certs, id.Presented)
						}
						if i%10 == worker {
							runtime.GC()
						}
						if i == 20 {
							assert.NoError(t, auth.Reload(t.Context()))
						}
					}
				})
			}
			group.Wait()
		})
	}
}
