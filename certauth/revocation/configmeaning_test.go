package revocation_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// configSettings sets every field of Config, of VerifyOptions and of HTTPOptions, as an operator
// may.
func configSettings(s *scene) map[string]func(*revocation.Config) {
	return map[string]func(*revocation.Config){
		"Mode":                         func(c *revocation.Config) { c.Mode = revocation.SoftFail },
		"AllowNoSource":                func(c *revocation.Config) { c.AllowNoSource = true },
		"AllowUnknown":                 func(c *revocation.Config) { c.AllowUnknown = true },
		"Scope":                        leafOnly,
		"Sources":                      sources(revocation.PreferCRL),
		"ShortLived":                   func(c *revocation.Config) { c.ShortLived = time.Hour },
		"StaleGrace":                   func(c *revocation.Config) { c.StaleGrace = time.Hour },
		"Responders":                   func(c *revocation.Config) { c.Responders = []revocation.Responder{{URL: ocspURL}, {URL: ocspURL}} },
		"Lists":                        func(c *revocation.Config) { c.Lists, c.Issuers = []revocation.List{{File: "f"}}, certs(s.ca) },
		"Issuers":                      func(c *revocation.Config) { c.Issuers = certs(s.ca) },
		"IgnoreCertificateURLs":        func(c *revocation.Config) { c.IgnoreCertificateURLs = true },
		"IgnoreDeltas":                 func(c *revocation.Config) { c.IgnoreDeltas = true },
		"CertIDHash":                   func(c *revocation.Config) { c.CertIDHash = crypto.SHA256 },
		"Fetcher":                      func(c *revocation.Config) { c.Fetcher = newNetwork() },
		"Store":                        func(c *revocation.Config) { c.Store = newShelf() },
		"MaxWait":                      func(c *revocation.Config) { c.MaxWait = time.Second },
		"MaxRecords":                   func(c *revocation.Config) { c.MaxRecords = 10 },
		"MaxListMemory":                func(c *revocation.Config) { c.MaxListMemory = 1 << 20 },
		"MaxListBytes":                 func(c *revocation.Config) { c.MaxListBytes = 1 << 20 },
		"PollInterval":                 func(c *revocation.Config) { c.PollInterval = time.Minute },
		"Now":                          func(c *revocation.Config) { c.Now = time.Now },
		"Logger":                       func(c *revocation.Config) { c.Logger = slog.New(slog.DiscardHandler) },
		"Observe":                      func(c *revocation.Config) { c.Observe = func(context.Context, revocation.Event) {} },
		"Verify.Now":                   func(c *revocation.Config) { c.Verify.Now = now },
		"Verify.Skew":                  func(c *revocation.Config) { c.Verify.Skew = time.Minute },
		"Verify.MaxAge":                func(c *revocation.Config) { c.Verify.MaxAge = time.Hour },
		"Verify.MaxAgeCA":              func(c *revocation.Config) { c.Verify.MaxAgeCA = time.Hour },
		"Verify.NoNextUpdateMaxAge":    func(c *revocation.Config) { c.Verify.NoNextUpdateMaxAge = time.Hour },
		"Verify.AllowSHA1":             func(c *revocation.Config) { c.Verify.AllowSHA1 = true },
		"Verify.AllowNoNextUpdate":     func(c *revocation.Config) { c.Verify.AllowNoNextUpdate = true },
		"Verify.AllowV1CRL":            func(c *revocation.Config) { c.Verify.AllowV1CRL = true },
		"Verify.AllowEmptyRevokedList": func(c *revocation.Config) { c.Verify.AllowEmptyRevokedList = true },
		"Verify.MinRSABits":            func(c *revocation.Config) { c.Verify.MinRSABits = 3072 },
		"Verify.Nonce":                 func(c *revocation.Config) { c.Verify.Nonce = []byte{1} },
		"Verify.NonceMode":             func(c *revocation.Config) { c.Verify.NonceMode = revocation.NonceRequire },
		"Verify.RequireNoCheck":        func(c *revocation.Config) { c.Verify.RequireNoCheck = true },
		"Verify.MaxDelegateLifetime":   func(c *revocation.Config) { c.Verify.MaxDelegateLifetime = time.Hour },
		"Verify.TrustedResponders":     func(c *revocation.Config) { c.Verify.TrustedResponders = certs(s.ca) },
		"Verify.CRLIssuers":            func(c *revocation.Config) { c.Verify.CRLIssuers = certs(s.ca) },
		"Verify.Previous":              func(c *revocation.Config) { c.Verify.Previous = &revocation.Result{} },
		"HTTP.AllowNets":               func(c *revocation.Config) { c.HTTP.AllowNets = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} },
		"HTTP.AllowHosts":              func(c *revocation.Config) { c.HTTP.AllowHosts = []string{"crl.internal"} },
		"HTTP.AllowPorts":              func(c *revocation.Config) { c.HTTP.AllowPorts = []int{8080} },
		"HTTP.Proxy":                   func(c *revocation.Config) { c.HTTP.Proxy = &url.URL{Scheme: "http", Host: "proxy:3128"} },
		"HTTP.RootCAs":                 func(c *revocation.Config) { c.HTTP.RootCAs = x509.NewCertPool() },
		"HTTP.OCSPTimeout":             func(c *revocation.Config) { c.HTTP.OCSPTimeout = time.Second },
		"HTTP.CRLTimeout":              func(c *revocation.Config) { c.HTTP.CRLTimeout = time.Second },
		"HTTP.UserAgent":               func(c *revocation.Config) { c.HTTP.UserAgent = "a" },
		"HTTP.Resolver":                func(c *revocation.Config) { c.HTTP.Resolver = &net.Resolver{} },
	}
}

// finding R5: the doc of Config says that a field which others make meaningless is an error of New,
// but a Fetcher together with HTTP, CRLOnly together with CertIDHash and others were not.
func TestNew_RefusesFieldsThatHaveNoEffect(t *testing.T) {
	s := newScene(t)
	settings := configSettings(s)
	for prefix, of := range map[string]reflect.Type{
		"": reflect.TypeFor[revocation.Config](), "Verify.": reflect.TypeFor[revocation.VerifyOptions](), "HTTP.": reflect.TypeFor[revocation.HTTPOptions](),
	} {
		for i := range of.NumField() {
			name := prefix + of.Field(i).Name
			if name != "Verify" && name != "HTTP" && of.Field(i).IsExported() {
				require.Contains(t, settings, name, "a new field belongs into this table")
			}
		}
	}
	setByChecker := "Verify.Now Verify.Nonce Verify.TrustedResponders Verify.Previous"
	ocspFields := "AllowUnknown CertIDHash Verify.NonceMode Verify.NoNextUpdateMaxAge Verify.RequireNoCheck Verify.MaxDelegateLifetime" +
		" HTTP.OCSPTimeout"
	listFields := "IgnoreDeltas MaxListMemory MaxListBytes PollInterval Verify.AllowNoNextUpdate Verify.AllowV1CRL Verify.AllowEmptyRevokedList" +
		" Verify.CRLIssuers HTTP.CRLTimeout"
	httpFields := "HTTP.AllowNets HTTP.AllowHosts HTTP.AllowPorts HTTP.Proxy HTTP.RootCAs HTTP.OCSPTimeout HTTP.CRLTimeout HTTP.UserAgent HTTP.Resolver"
	ignoring := func(more ...string) func(*revocation.Config) {
		return func(c *revocation.Config) {
			c.IgnoreCertificateURLs = true
			for _, one := range more {
				settings[one](c)
			}
		}
	}
	for _, c := range []struct {
		name    string
		base    func(*revocation.Config)
		refused string // fields that then have no effect
	}{
		{"nothing else", func(*revocation.Config) {}, "AllowUnknown IgnoreCertificateURLs PollInterval"},
		{"SoftFail", settings["Mode"], "AllowNoSource IgnoreCertificateURLs PollInterval"},
		{"LeafOnly", leafOnly, "AllowUnknown IgnoreCertificateURLs PollInterval Verify.MaxAgeCA"},
		{"CRLOnly", sources(revocation.CRLOnly), ocspFields + " Responders IgnoreCertificateURLs PollInterval"},
		{"OCSPOnly", ocspOnlyAlone, listFields + " AllowUnknown Lists Issuers IgnoreCertificateURLs"},
		{"CRLOnly, SoftFail, and Lists", func(c *revocation.Config) {
			sources(revocation.CRLOnly)(c)
			settings["Mode"](c)
			settings["Lists"](c)
		}, ocspFields + " AllowNoSource Responders"},
		{
			"RequireNoCheck", func(c *revocation.Config) { c.Verify.RequireNoCheck = true },
			"AllowUnknown IgnoreCertificateURLs PollInterval Verify.MaxDelegateLifetime",
		},
		{"Issuers", settings["Issuers"], "AllowUnknown"},
		{"Lists alone", ignoring("Lists"), ocspFields + " Store"},
		{"Issuers alone, for Preload", ignoring("Issuers"), ocspFields + " Store"},
		{"Responders alone", ignoring("Responders"), listFields + " AllowUnknown"},
		{"one Responder alone", func(c *revocation.Config) {
			c.IgnoreCertificateURLs, c.Responders = true, []revocation.Responder{{URL: ocspURL}}
		}, listFields + " AllowUnknown"},
		{"Responders and Lists alone", ignoring("Responders", "Lists"), "AllowUnknown"},
		{"Responders and Lists alone, each time asked anew", ignoring("Responders", "Lists", "Verify.NonceMode"), "AllowUnknown Store"},
		{"OCSPOnly, each time asked anew", func(c *revocation.Config) {
			c.Sources, c.Verify.NonceMode = revocation.OCSPOnly, revocation.NonceRequire
		}, listFields + " AllowUnknown Lists Issuers IgnoreCertificateURLs Store"},
		{"a Fetcher", settings["Fetcher"], "AllowUnknown IgnoreCertificateURLs PollInterval " + httpFields},
	} {
		refused := map[string]bool{}
		for _, name := range strings.Fields(c.refused + " " + setByChecker) {
			require.Contains(t, settings, name)
			refused[name] = true
		}
		for name, set := range settings {
			t.Run(c.name+" and "+name, func(t *testing.T) {
				var alone, config revocation.Config
				c.base(&alone)
				checker, err := revocation.New(alone)
				require.NoError(t, err)
				require.NoError(t, checker.Close())
				c.base(&config)
				set(&config)
				if assert.ObjectsAreEqual(plain(alone), plain(config)) || config.Sources != alone.Sources && alone.Sources != 0 {
					return // set already, or replaced
				}
				checker, err = revocation.New(config)
				if refused[name] {
					require.Error(t, err)
					path := name
					if strings.HasPrefix(name, "HTTP.") && config.Fetcher != nil {
						path = "HTTP"
					}
					if slices.Contains(strings.Fields(setByChecker), name) {
						path = "Verify"
					}
					assert.Contains(t, err.Error(), path+": ")
					return
				}
				require.NoError(t, err)
				require.NoError(t, checker.Close())
			})
		}
	}
}

// plain returns a Config without fields that cannot be compared.
func plain(c revocation.Config) revocation.Config {
	if c.Now != nil {
		c.MaxRecords += 1 << 20
	}
	if c.Observe != nil {
		c.MaxRecords += 1 << 21
	}
	c.Now, c.Observe = nil, nil
	return c
}

func ocspOnlyAlone(c *revocation.Config) { c.Sources = revocation.OCSPOnly }

func TestNew_SaysWhyAFieldHasNoEffect(t *testing.T) {
	for _, c := range []struct {
		config revocation.Config
		want   string
	}{
		{revocation.Config{Fetcher: newNetwork(), HTTP: revocation.HTTPOptions{AllowPorts: []int{-1}}}, "HTTP: has no effect: Fetcher is used instead; give it these bounds"},
		{revocation.Config{Sources: revocation.CRLOnly, CertIDHash: crypto.SHA256}, "CertIDHash: has no effect: CRLOnly never uses it"},
		{revocation.Config{Sources: revocation.OCSPOnly, IgnoreDeltas: true}, "IgnoreDeltas: has no effect: OCSPOnly never uses it"},
		{revocation.Config{Mode: revocation.SoftFail, AllowNoSource: true}, "AllowNoSource: has no effect: SoftFail accepts such certificates anyway"},
		{
			revocation.Config{Responders: []revocation.Responder{{URL: ocspURL}}, IgnoreCertificateURLs: true, MaxListBytes: 5},
			"MaxListBytes: has no effect: IgnoreCertificateURLs leaves no source of it",
		},
		{revocation.Config{Verify: revocation.VerifyOptions{MinRSABits: 8193}}, "Verify.MinRSABits: 8193, want at most 8192"},
	} {
		_, err := revocation.New(c.config)
		require.ErrorContains(t, err, c.want)
	}
}
