package certauth

import (
	"context"
	"crypto/x509"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// kinds returns the types of this package with a method of this name and number of parameters, and
// whether a field or the elements of each have the type inner, that is, whether it wraps others.
func kinds(t *testing.T, method string, parameters int, inner string) map[string]bool {
	t.Helper()
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	wraps, found := map[string]bool{}, map[string]bool{}
	isInner := func(e ast.Expr) bool {
		if list, ok := e.(*ast.ArrayType); ok {
			e = list.Elt
		}
		name, ok := e.(*ast.Ident)
		return ok && name.Name == inner
	}
	inspect := func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.TypeSpec:
			wraps[n.Name.Name] = isInner(n.Type)
			if fields, ok := n.Type.(*ast.StructType); ok {
				wraps[n.Name.Name] = slices.ContainsFunc(fields.Fields.List, func(f *ast.Field) bool { return isInner(f.Type) })
			}
		case *ast.FuncDecl:
			if n.Recv == nil || n.Name.Name != method || n.Type.Params.NumFields() != parameters {
				return true
			}
			receiver := n.Recv.List[0].Type
			if pointer, ok := receiver.(*ast.StarExpr); ok {
				receiver = pointer.X
			}
			if name, ok := receiver.(*ast.Ident); ok {
				found[name.Name] = false
			}
		}
		return true
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(file, inspect)
	}
	for name := range found {
		found[name] = wraps[name]
	}
	return found
}

// Every kind of rule, with the answers that the switches over them must give: whether a walk must
// enter it (isComposite), whether it may be judged once for all paths (isPlain), and whether it can
// refuse by the bytes of the leaf (screensOf). A kind that a switch does not know is treated as one
// that establishes nothing after it, which once caused a false acceptance.
func TestRules_EverySwitchKnowsEveryKind(t *testing.T) {
	type switched struct{ composite, plain, screens bool }
	plain, single := switched{plain: true}, switched{}
	name, pin := &altRule{}, &pinRule{kind: pinThumbprint}
	role := namedRule{name: "a", part: pin}
	roles := newAnyRule([]rule{role, pin})
	rows := map[string][]struct {
		rule rule
		want switched
	}{
		"altRule": {{name, plain}}, "ipRule": {{&ipRule{}, plain}}, "dnRule": {{&dnRule{}, plain}},
		"attributeRule": {{&attributeRule{}, plain}}, "extensionRule": {{&extensionRule{}, plain}}, "keysRule": {{&keysRule{}, plain}},
		"validityRule": {{&validityRule{}, plain}}, "invalidRule": {{invalidRule{}, plain}},
		"chainRule": {{&chainRule{}, single}}, "frontEndRule": {{&frontEndRule{}, single}}, "issuedByRule": {{&issuedByRule{}, single}}, "notIssuerRule": {{&notIssuerRule{}, single}},
		"deniedRule": {{&deniedRule{}, single}}, "matchedRule": {{&matchedRule{}, single}}, "notRevokedRule": {{&notRevokedRule{}, single}}, "funcRule": {{&funcRule{}, single}},
		"pinRule":   {{pin, switched{screens: true}}, {&pinRule{kind: pinPublicKey}, single}, {&pinRule{kind: pinCertificate}, switched{screens: true}}},
		"notRule":   {{&notRule{part: name}, plain}}, // wraps a single rule alone, see negate
		"namedRule": {{role, switched{composite: true, screens: true}}, {namedRule{part: name}, switched{composite: true}}},
		"serverAuthRule": {
			{serverAuthRule{part: pin}, switched{screens: true}},
			{serverAuthRule{part: allRule{pin, name}}, switched{composite: true, screens: true}},
			{serverAuthRule{part: role}, switched{composite: true, screens: true}},
			{serverAuthRule{part: roles}, switched{composite: true, screens: true}},
			{serverAuthRule{part: serverAuthRule{part: role}}, switched{composite: true, screens: true}},
			{serverAuthRule{part: newAnyRule([]rule{name})}, single},
		},
		"allRule": {
			{allRule{name}, switched{composite: true, plain: true}},
			{allRule{pin, name}, switched{composite: true, screens: true}},
			{allRule{name, role}, switched{composite: true}},
			{allRule{serverAuthRule{part: pin}}, switched{composite: true, screens: true}},
		},
		"anyRule": {
			{newAnyRule([]rule{name, allRule{name}}), plain},
			{newAnyRule([]rule{pin, pin}), switched{composite: true, screens: true}},
			{newAnyRule([]rule{pin, name}), switched{composite: true}},
			{newAnyRule([]rule{name, role}), switched{composite: true}},
			{newAnyRule([]rule{name, serverAuthRule{part: name}}), switched{composite: true}},
			{newAnyRule([]rule{pin, serverAuthRule{part: role}}), switched{composite: true, screens: true}},
		},
	}
	assert.ElementsMatch(t, slices.Collect(maps.Keys(kinds(t, "judge", 1, "rule"))), slices.Collect(maps.Keys(rows)),
		"a kind of rule is new or gone: say here what the switches make of it")
	for kind, list := range rows {
		for i, row := range list {
			assert.Equal(t, row.want, switched{isComposite(row.rule), isPlain(row.rule), len(screensOf(row.rule)) > 0}, "%s, row %d", kind, i)
		}
	}
	for kind, wraps := range kinds(t, "judge", 1, "rule") {
		if wraps && kind != "notRule" {
			assert.Greater(t, len(rows[kind]), 1, "%s wraps others: it needs a row for each kind of member", kind)
		}
	}
}

// Every policy that wraps others, except Not, which negates its content: a policy inside counts as
// if it stood there alone. The list is taken from the source.
func TestPolicies_EveryWrapperLetsEverythingThrough(t *testing.T) {
	wrappers := map[string]func(Policy) Policy{
		"All":              func(p Policy) Policy { return All{p} },
		"Any":              func(p Policy) Policy { return Any{p} },
		"Named":            func(p Policy) Policy { return Named{Name: "outer", Policy: p} },
		"AcceptServerAuth": func(p Policy) Policy { return AcceptServerAuth{Reason: "no other", Policy: p} },
	}
	wrapping := []string{"Not"}
	for kind, wraps := range kinds(t, "compile", 2, "Policy") {
		if wraps {
			wrapping = append(wrapping, kind)
		}
	}
	slices.Sort(wrapping)
	assert.Equal(t, append(slices.Sorted(maps.Keys(wrappers)), "Not"), slices.Compact(wrapping), "a wrapper was added or removed: add or remove its construction here")

	now := time.Now()
	ca := certauthtest.NewCA(t, "Root")
	leaf := ca.Issue(t, "client", certauthtest.DNS("a.example"), certauthtest.Valid(now.Add(-time.Hour), now.Add(12*time.Hour))).Certificate
	pin := (&Identity{Leaf: leaf}).Thumbprint()
	roots := Chain{Roots: Certificates(ca.Certificate)}
	revoked := NotRevoked{Checker: checkerOf(RevocationRevoked)}
	good := NotRevoked{Checker: checkerOf(RevocationGood)}
	newOf := func(p Policy, change ...func(*Config)) (*Authenticator, error) {
		config := Config{Source: SourceFunc{Name: "test", Func: func(*http.Request) ([]*x509.Certificate, error) { return []*x509.Certificate{leaf}, nil }}, Policy: p}
		for _, c := range change {
			c(&config)
		}
		return New(config)
	}
	reasonOf := func(p Policy) Reason {
		auth, err := newOf(p)
		require.NoError(t, err)
		return reasonFor(auth)
	}
	for name, wrap := range wrappers {
		t.Run(name, func(t *testing.T) {
			for depth := range 2 {
				if depth == 1 { // inside another one of each kind
					inner := wrap
					wrap = func(p Policy) Policy { return inner(AcceptServerAuth{"again", Named{"deep", All{Any{inner(p)}}}}) }
				}
				within := wrap(All{roots, Any{Named{"a", DNSNames{"a.example"}}, Named{"b", CommonNames{"client"}}, Named{"c", CommonNames{"x"}}}})
				auth, err := newOf(within)
				require.NoError(t, err)
				id, err := auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
				require.NoError(t, err)
				assert.Subset(t, id.Matched, []string{"a", "b"})
				assert.NotContains(t, id.Matched, "c")
				for _, one := range []string{"chain (", "named \"c\"", "any of"} {
					assert.Contains(t, auth.String(), one, "describe")
				}

				// walk: the rules after the wrapper judge each path through it.
				split := wrap(Any{All{roots, Named{"a", DNSNames{"a.example"}}}, All{roots, CommonNames{"client"}}})
				assert.Equal(t, ReasonNone, reasonOf(All{split, Matched{"a"}}))
				assert.Equal(t, ReasonCertificateRevoked, reasonOf(All{split, revoked}))
				assert.Equal(t, ReasonCertificateRevoked, reasonOf(wrap(All{roots, revoked})))
				assert.Equal(t, ReasonNone, reasonOf(wrap(All{roots, good})))
				assert.Equal(t, ReasonCertificateRevoked, reasonOf(All{wrap(All{Certificates(leaf), Any{All{roots, revoked}, All{roots, revoked, good}}}), DNSNames{"a.example"}}))
				assert.Equal(t, ReasonNameNotAllowed, reasonOf(Any{wrap(All{roots, DNSNames{"x.example"}}), wrap(All{roots, DNSNames{"y.example"}})}))
				assert.Equal(t, ReasonNone, reasonOf(Any{wrap(All{roots, DNSNames{"x.example"}}), wrap(All{roots, DNSNames{"a.example"}})}))
				assert.Equal(t, ReasonCertificateDenied, reasonOf(All{wrap(roots), Denied{PublicKeys: []string{(&Identity{Leaf: leaf}).PublicKeyHash()}}}))

				// screens: a pin inside is checked against the bytes, and so are two in an Any.
				auth, err = newOf(wrap(Thumbprints{pin}))
				require.NoError(t, err)
				assert.NotNil(t, auth.screen)
				assert.Equal(t, ReasonNone, reasonFor(auth))
				nobody := strings.Repeat("ab", 32)
				assert.Equal(t, ReasonPinMismatch, reasonOf(wrap(Thumbprints{nobody})))
				assert.Equal(t, ReasonNone, reasonOf(Any{wrap(Thumbprints{nobody}), wrap(Thumbprints{pin})}))
				assert.Equal(t, ReasonNone, reasonOf(Any{wrap(Thumbprints{nobody}), wrap(roots)}), "with a member that is not a pin, there is no screen")

				// static checks.
				for why, p := range map[string]Policy{
					"nil policy":                wrap(nil),
					"comes before any anchor":   All{wrap(All{DNSNames{"a.example"}, roots})},
					"not allowed under Not":     All{roots, Not{wrap(roots)}},
					"comes before any Chain":    wrap(All{Thumbprints{pin}, good}),
					"every public CA":           wrap(All{Chain{Roots: InsecureSystemRoots()}}),
					"empty":                     wrap(All{roots, DNSNames{}}),
					"contradicts":               wrap(All{roots, Validity{ClockSkew: 1}, Validity{ClockSkew: 2}}),
					"accepts without an anchor": All{Any{wrap(Keys{MinRSABits: 3072}), roots}},
				} {
					_, err := newOf(p)
					require.Error(t, err)
					own := map[string]string{"every public CA": "the system's roots within AcceptServerAuth", "accepts without an anchor": "so it has no effect"}
					if strings.Contains(err.Error(), "AcceptServerAuth") && own[why] != "" {
						why = own[why] // which it reports instead
					}
					assert.ErrorContains(t, err, why)
				}

				// reload, and reports about certificates that expire.
				pins := []string{nobody}
				auth, err = newOf(wrap(ThumbprintsFrom(PinFunc(func(context.Context) ([]string, error) { return pins, nil }))))
				require.NoError(t, err)
				assert.Equal(t, ReasonPinMismatch, reasonFor(auth))
				pins = []string{pin}
				require.NoError(t, auth.Reload(t.Context()))
				assert.Equal(t, ReasonNone, reasonFor(auth))
				var ending []Event
				_, err = newOf(wrap(Certificates(leaf)), func(c *Config) {
					c.Observe = func(_ context.Context, e Event) { ending = append(ending, e) }
				})
				require.NoError(t, err)
				assert.True(t, slices.ContainsFunc(ending, func(e Event) bool { return e.Outcome == "expiring" }))
			}
		})
	}
}

func reasonFor(a *Authenticator) Reason {
	_, err := a.Check(httptest.NewRequest(http.MethodGet, "/", nil))
	var refused *Error
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return ReasonNone
}

// checkerOf returns the same status for every chain.
type checkerOf RevocationStatus

func (c checkerOf) CheckChain(context.Context, []*x509.Certificate) (Revocation, error) {
	return Revocation{Status: RevocationStatus(c)}, nil
}
