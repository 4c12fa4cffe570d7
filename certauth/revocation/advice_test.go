package revocation_test

import (
	"crypto"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// refusal returns what an operator reads about a client refused by the Checker.
func (w *wired) refusal(t *testing.T, c *revocation.Checker, client *identity) *certauth.Error {
	t.Helper()
	source := certauth.SourceFunc{Name: "test", Func: func(*http.Request) ([]*x509.Certificate, error) { return certs(client), nil }}
	auth, err := certauth.New(certauth.Config{Source: source, Policy: w.behindChain(c), Now: w.clock.now})
	require.NoError(t, err)
	_, err = auth.Check(httptest.NewRequest(http.MethodGet, "/", nil).WithContext(t.Context()))
	var refused *certauth.Error
	require.ErrorAs(t, err, &refused)
	return refused
}

const wayOut = "check the network path"

// finding N69: the refusal named no host if a firewall drops what is sent to it, or if a proxy answers with a page of its
// own, although the hint is to check the path to it.
func TestRefusals_NameTheHostThatGaveNoEvidence(t *testing.T) {
	for name, answer := range map[string]handler{"nothing": hanging, "a page": body([]byte("<html>blocked</html>")), "an error that names it": failing(errors.New("ocsp.partner.example and crl.partner.example"))} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				w := wire(t)
				w.net.serve(ocspURL, answer)
				w.net.serve(crlURL, answer)
				checker := w.checker(t, leafOnly)
				for host, client := range map[string]change{"ocsp.partner.example": noPoints, "crl.partner.example": noResponder} {
					refused := w.refusal(t, checker, w.issue(t, "client", client))
					assert.Equal(t, certauth.ReasonRevocationUnavailable, refused.Reason)
					assert.Equal(t, 1, strings.Count(refused.Err.Error(), host), refused.Err)
				}
			})
		})
	}
}

// Refusals that were right but gave a wrong next step: the detail names the mistake in the
// evidence, and the hint is the one step that helps.
func TestRefusals_SayWhatHelps(t *testing.T) {
	old := func(w *wired, issued, ends int) ocsptest.List {
		return w.listAt(now.Add(-time.Duration(issued)*day), now.Add(time.Duration(ends)*day))
	}
	served := func(list func(*testing.T, *wired) ocsptest.List) func(*testing.T, *wired) {
		return func(t *testing.T, w *wired) { w.net.serve(crlURL, body(encode(t, list(t, w)))) }
	}
	sha1 := ocsptest.ECDSA(crypto.SHA1)
	cas := func(w *wired) []*x509.Certificate { return certs(w.ca) }
	for _, c := range []struct {
		name   string
		client change
		world  func(*testing.T, *wired)
		config func(*wired, string) func(*revocation.Config) // with a directory
		detail []string
		hint   string
		never  []string // must be neither in the detail nor in the hint
	}{
		{
			"a CRL of 40 days that is valid for 60 more", noResponder, served(func(_ *testing.T, w *wired) ocsptest.List { return old(w, 40, 60) }), nil,
			[]string{"40 days old", "thisUpdate 2026-01-21T12:00:00Z", "MaxAge allows 30 days", "nextUpdate, 2026-05-01T12:00:00Z"},
			"raise Verify.MaxAge",
			[]string{wayOut, "MaxAgeCA"},
		},
		{
			"a CRL that has run out", noResponder, served(func(_ *testing.T, w *wired) ocsptest.List { return old(w, 9, -2) }), nil,
			[]string{"9 days old", "expired", "2026-02-28T12:00:00Z"},
			"ask the CA",
			[]string{wayOut, "MaxAge"},
		},
		{
			"a CRL that is too old and has run out", noResponder, served(func(_ *testing.T, w *wired) ocsptest.List { return old(w, 40, -2) }), nil,
			[]string{"40 days old", "expired"},
			"ask the CA",
			[]string{wayOut, "raise"},
		},
		{
			"a CRL of tomorrow", noResponder, served(func(_ *testing.T, w *wired) ocsptest.List { return old(w, -1, 7) }), nil,
			[]string{"2026-03-03T12:00:00Z", "ahead of the clock"},
			"clock",
			[]string{wayOut},
		},
		{"finding P42 an OCSP answer that was signed in an hour", noPoints, func(t *testing.T, w *wired) {
			w.net.serve(ocspURL, w.answering(t, ocsptest.StatusGood, func(_ revocation.Request, r *ocsptest.Response) { r.ProducedAt = ocsptest.At(now.Add(time.Hour)) }))
		}, nil, []string{"2026-03-02T13:00:00Z", "ahead of the clock, 2026-03-02T12:00:00Z"}, "clock", []string{wayOut}},
		{"a CRL without nextUpdate", noResponder, served(func(_ *testing.T, w *wired) ocsptest.List {
			l := w.list()
			l.NextUpdate = nil
			return l
		}), nil, []string{"no nextUpdate", "AllowNoNextUpdate"}, "AllowNoNextUpdate", []string{wayOut}},
		{"an OCSP answer of 15 days that is valid for 15 more", noPoints, func(t *testing.T, w *wired) {
			w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, now.Add(-15*day), now.Add(15*day)))
		}, nil, []string{"15 days old", "MaxAge allows 10 days", "2026-03-17T12:00:00Z"}, "raise Verify.MaxAge", []string{wayOut}},
		{"an OCSP answer that has run out", noPoints, func(t *testing.T, w *wired) {
			w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, now.Add(-5*day), now.Add(-day)))
		}, nil, []string{"5 days old", "expired"}, "ask the CA", []string{wayOut, "MaxAge"}},
		{"an OCSP answer of a day without nextUpdate", noPoints, func(t *testing.T, w *wired) {
			w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, now.Add(-day), time.Time{}))
		}, nil, []string{"no nextUpdate", "NoNextUpdateMaxAge allows 1h0m0s"}, "NoNextUpdateMaxAge", []string{wayOut}},
		{"a SHA-1 CRL", noResponder, served(func(_ *testing.T, w *wired) ocsptest.List {
			l := w.list()
			l.Algorithm = sha1
			return l
		}), nil, []string{"SHA-1", "AllowSHA1"}, "ask the CA to sign with SHA-256", []string{wayOut}},
		{"a SHA-1 OCSP answer", noPoints, func(t *testing.T, w *wired) {
			w.net.serve(ocspURL, w.answering(t, ocsptest.StatusGood, func(_ revocation.Request, r *ocsptest.Response) { r.Algorithm = sha1 }))
		}, nil, []string{"SHA-1", "AllowSHA1"}, "AllowSHA1", []string{wayOut}},
		{"a CRL of version 1", noResponder, served(func(_ *testing.T, w *wired) ocsptest.List {
			l := w.list()
			l.NoVersion, l.Extensions = true, nil
			return l
		}), nil, []string{"version 1", "AllowV1CRL"}, "AllowV1CRL", []string{wayOut, "somebody"}},
		{
			"a pointer by ldap", with(unpointed, point(uri(ldapURL))), nil, nil,
			[]string{"the certificate names", "ldap:///CN=Contoso%20CA", `scheme "ldap"`},
			"name the CA's CRL in revocation.Config.Lists",
			[]string{wayOut, "names none"},
		},
		{
			"a pointer with a raw space", with(unpointed, point(uri("http://pki.example/Contoso CA.crl"))), nil, nil,
			[]string{"http://pki.example/Contoso CA.crl", "0x20"},
			"revocation.Config.Lists",
			[]string{wayOut, "names none"},
		},
		{
			"a pointer with another CRL issuer", with(unpointed, point(uri("http://pki.example/all.crl"), ocsptest.Element(ocsptest.Explicit(2), directory(newScene(t).root.cert.RawSubject)))), nil, nil,
			[]string{"http://pki.example/all.crl", "CRL issuer", "CN=Root", "indirect"},
			"revocation.Config.Lists",
			[]string{wayOut, "names none"},
		},
		{"nobody named", unpointed, nil, nil, []string{"names no OCSP responder and no CRL"}, "revocation.Config.AllowNoSource", []string{wayOut}},
		{
			"finding P44 nobody named by the issuing CA's certificate", with(), func(t *testing.T, w *wired) {
				w.ca = makeCert(t, "Clients CA", newKey(t), w.root, asCA)
				w.net.serve(ocspURL, w.responder(t, ocsptest.StatusGood))
			}, func(*wired, string) func(*revocation.Config) {
				return func(c *revocation.Config) { c.Scope = revocation.ChainExceptAnchor }
			},
			[]string{"certificate 1 of the chain", "names no OCSP responder and no CRL"},
			"revocation.Config.Scope to LeafOnly",
			[]string{wayOut, "AllowNoSource"},
		},
		{
			"a pointer that the Config leaves out", noPoints, nil, func(*wired, string) func(*revocation.Config) { return sources(revocation.CRLOnly) },
			[]string{ocspURL, "CRLOnly leaves that out"},
			"revocation.Config.Lists",
			[]string{wayOut, "names none"},
		},
		{"a configured CRL of a distribution point and a leaf without one", unpointed, nil, func(w *wired, dir string) func(*revocation.Config) {
			return func(c *revocation.Config) {
				l := w.withPoint(uri("http://pki.example/shard7.crl"))
				write(t, filepath.Join(dir, "a.crl"), encode(t, l))
				c.Lists, c.Issuers = []revocation.List{{Dir: dir}}, cas(w)
			}
		}, []string{"http://pki.example/shard7.crl", "the certificate names none"}, "not limited to a distribution point", []string{wayOut, "no configured CRL covers"}},
		{
			"a configured CRL of another distribution point", noResponder, func(_ *testing.T, w *wired) { w.net.serve(crlURL, failing(revocation.ErrTransport)) },
			func(w *wired, dir string) func(*revocation.Config) {
				return func(c *revocation.Config) {
					l := w.withPoint(uri("http://pki.example/shard7.crl"))
					write(t, filepath.Join(dir, "a.crl"), encode(t, l))
					c.Lists, c.Issuers, c.IgnoreCertificateURLs = []revocation.List{{Dir: dir}}, cas(w), true
				}
			},
			[]string{"http://pki.example/shard7.crl", "the certificate names \"" + crlURL},
			"not limited to a distribution point",
			[]string{wayOut},
		},
		{"a configured CRL of 40 days that is valid for 60 more", unpointed, nil, func(w *wired, _ string) func(*revocation.Config) {
			return listed(t, w, old(w, 40, 60))
		}, []string{"40 days old", "MaxAge allows 30 days"}, "raise Verify.MaxAge", []string{wayOut, "no configured CRL covers"}},
		{"a configured SHA-1 CRL and a pointer by ldap", with(unpointed, point(uri(ldapURL))), nil, func(w *wired, _ string) func(*revocation.Config) {
			l := w.list()
			l.Algorithm = sha1
			return listed(t, w, l)
		}, []string{"SHA-1", "AllowSHA1", "a.crl"}, "AllowSHA1", []string{wayOut}},
		{"a configured CRL of version 1", unpointed, nil, func(w *wired, _ string) func(*revocation.Config) {
			l := w.list()
			l.NoVersion, l.Extensions = true, nil
			return listed(t, w, l)
		}, []string{"version 1", "AllowV1CRL"}, "AllowV1CRL", []string{wayOut}},
		{
			"finding K113 a CRL larger than MaxListBytes", noResponder, func(_ *testing.T, w *wired) { w.net.serve(crlURL, failing(revocation.ErrTooLarge)) },
			nil,
			[]string{"answer too large", "MaxListBytes allows 33554432"},
			"raise revocation.Config.MaxListBytes",
			[]string{wayOut},
		},
		{
			"finding K113 a configured CRL larger than MaxListBytes", unpointed, nil, func(w *wired, _ string) func(*revocation.Config) {
				list := listed(t, w, w.list())
				return func(c *revocation.Config) {
					list(c)
					c.MaxListBytes = 100
				}
			},
			[]string{"answer too large", "MaxListBytes allows 100", "a.crl"},
			"raise revocation.Config.MaxListBytes",
			[]string{wayOut},
		},
		{
			"finding K113 a CRL for which there is no room", noResponder, nil,
			func(*wired, string) func(*revocation.Config) {
				return func(c *revocation.Config) { c.MaxListMemory = 100 }
			},
			[]string{"used up", "MaxListMemory allows 100"},
			"raise revocation.Config.MaxListMemory",
			[]string{wayOut},
		},
		{
			"finding P40 a configured CRL that is not there", unpointed, nil, func(w *wired, dir string) func(*revocation.Config) {
				return func(c *revocation.Config) {
					c.Lists, c.Issuers = []revocation.List{{File: filepath.Join(dir, "a.crl")}}, cas(w)
				}
			},
			[]string{"a.crl", "no such file"},
			"the file that the detail names",
			[]string{wayOut, "names none"},
		},
		{
			"finding P40 a page in the place of a configured CRL", noResponder, nil, func(w *wired, dir string) func(*revocation.Config) {
				write(t, filepath.Join(dir, "a.crl"), []byte("<html>"))
				return func(c *revocation.Config) {
					c.Lists, c.Issuers, c.IgnoreCertificateURLs = []revocation.List{{Dir: dir}}, cas(w), true
				}
			},
			[]string{"a.crl", "malformed"},
			"the file that the detail names",
			[]string{wayOut, "names none"},
		},
		{
			"finding P40 the configured CRL is that of the root", unpointed, nil, func(w *wired, _ string) func(*revocation.Config) {
				root := w.list()
				root.Issuer, root.Key, root.Extensions = w.root.cert.RawSubject, w.root.key, []ocsptest.Extension{ocsptest.AuthorityKeyID(w.root.cert.SubjectKeyId), ocsptest.CRLNumber(7)}
				list := listed(t, w, root)
				return func(c *revocation.Config) {
					list(c)
					c.Issuers = append(c.Issuers, w.root.cert)
				}
			},
			[]string{"no configured CRL covers the certificate", "CN=Clients CA"},
			"the CA that issued the certificate",
			[]string{wayOut, "names none"},
		},
		{
			"finding K137 a configured CRL that is not there, beside a responder that is not used", noPoints, nil, func(w *wired, dir string) func(*revocation.Config) {
				return func(c *revocation.Config) {
					c.Sources, c.Lists, c.Issuers = revocation.CRLOnly, []revocation.List{{File: filepath.Join(dir, "a.crl")}}, certs(w.ca)
				}
			},
			[]string{"a.crl", "no such file"},
			"the file that the detail names",
			[]string{wayOut},
		},
		{
			"finding K135 a CRL whose signer is revoked", noResponder, nil, func(w *wired, _ string) func(*revocation.Config) {
				signer := makeCert(t, "Clients CA", newKey(t), w.root, asCA, keyUsage(x509.KeyUsageCRLSign))
				w.net.serve(crlURL, body(encode(t, w.signedBy(signer))))
				w.net.serve(rootsURL, body(encode(t, w.rootList(entryFor(signer)))))
				return func(c *revocation.Config) { c.Scope, c.Issuers = revocation.ChainExceptAnchor, certs(signer) }
			},
			[]string{"the certificate of the key that signed it is revoked"},
			"another key",
			[]string{wayOut},
		},
		{
			"finding P40 a configured CRL at a URL that is down", unpointed, func(_ *testing.T, w *wired) { w.net.serve(crlURL, failing(revocation.ErrTransport)) },
			func(w *wired, _ string) func(*revocation.Config) {
				return func(c *revocation.Config) { c.Lists, c.Issuers = []revocation.List{{URL: crlURL}}, cas(w) }
			},
			[]string{"transport"},
			wayOut, nil,
		},
		{
			"a responder that is down, beside a CRL by ldap", with(noPoints, point(uri(ldapURL))), func(_ *testing.T, w *wired) { w.net.serve(ocspURL, failing(revocation.ErrTransport)) },
			nil,
			[]string{"transport", `scheme "ldap"`},
			wayOut, nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := wire(t)
			if c.world != nil {
				c.world(t, w)
			}
			changes := []func(*revocation.Config){leafOnly}
			if c.config != nil {
				changes = append(changes, c.config(w, t.TempDir()))
			}
			refused := w.refusal(t, w.checker(t, changes...), w.issue(t, "client", c.client))
			assert.Equal(t, certauth.ReasonRevocationUnavailable, refused.Reason)
			assert.Equal(t, "Policy.All[1].NotRevoked", refused.Rule)
			detail := refused.Err.Error()
			for _, want := range c.detail {
				assert.Contains(t, detail, want)
			}
			assert.Contains(t, refused.Hint, c.hint)
			for _, wrong := range c.never {
				assert.NotContains(t, detail, wrong)
				assert.NotContains(t, refused.Hint, wrong)
			}
			assert.LessOrEqual(t, len(refused.Hint), 180, "one step")
			assert.NotContains(t, strings.TrimSuffix(refused.Hint, "\n"), "\n")
		})
	}
}

// listed returns a Config with one list of the scene's CA in a file.
func listed(t *testing.T, w *wired, l ocsptest.List) func(*revocation.Config) {
	t.Helper()
	path := fileOf(t, encode(t, l))
	return func(c *revocation.Config) { c.Lists, c.Issuers = []revocation.List{{File: path}}, certs(w.ca) }
}

func with(changes ...change) change {
	return func(c *x509.Certificate) {
		for _, one := range changes {
			one(c)
		}
	}
}

// finding K137: a list that only Preload names is fetched as well, so that the network path is what to check.
func TestRefusals_AListGivenToPreloadIsFetched(t *testing.T) {
	w := wire(t)
	w.net.serve(crlURL, failing(revocation.ErrTransport))
	checker := w.checker(t, leafOnly, func(c *revocation.Config) { c.Issuers = certs(w.ca) })
	require.ErrorIs(t, checker.Preload(t.Context(), crlURL), revocation.ErrTransport)
	assert.Contains(t, w.refusal(t, checker, w.issue(t, "client", noPoints, noResponder)).Hint, wayOut)
}
