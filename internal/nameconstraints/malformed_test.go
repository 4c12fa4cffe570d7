package nameconstraints_test

import (
	"crypto/x509"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/nameconstraints"
)

// At every position, a single extra byte is refused like an extra element, because RFC 5280,
// appendix A.2, allows neither.
func TestParse_ATrailingByteIsAnErrorAtEveryDepth(t *testing.T) {
	base := dns("a.example")
	for name, value := range map[string][]byte{
		"after the fields":            wrap(0x30, wrap(0xA0, wrap(0x30, base)), []byte{0xA1}),
		"after the subtrees":          wrap(0x30, wrap(0xA0, wrap(0x30, base), []byte{0x30})),
		"after a base":                wrap(0x30, wrap(0xA0, wrap(0x30, base, []byte{0x80}))),
		"after a minimum written out": wrap(0x30, wrap(0xA0, wrap(0x30, base, []byte{0x80, 1, 0, 0x81}))),
	} {
		parsed, err := nameconstraints.Parse(value)
		require.Error(t, err, name)
		assert.Nil(t, parsed, name)
	}
}

// Unreadable alternative names are outside every constraint, and a certificate that has them is not
// taken for one without names.
func TestConstraints_Check_UnreadableAlternativeNamesAreRefused(t *testing.T) {
	constraint, err := nameconstraints.Parse(wrap(0x30, permitted(dns("host.example"))))
	require.NoError(t, err)
	for name, names := range map[string][][]byte{
		"no GeneralName": {wrap(0x0C, []byte("host.example"))},
		"a tenth form":   {wrap(0x89, []byte("host.example"))},
		"cut short":      {{0x82, 9, 'a'}},
	} {
		require.Error(t, constraint.Check(cert([]byte{0x30, 0}, nil, altNames(names...))), name)
	}
	require.NoError(t, constraint.Check(cert([]byte{0x30, 0}, nil, altNames(dns("www.host.example")))))
	require.NoError(t, constraint.Check(cert([]byte{0x30, 0}, nil)))
}

// RFC 3986, section 3.1: a scheme is a letter and then letters, digits, "+", "-" and ".".
func TestConstraints_Check_URIsWithoutASchemeHaveNoHost(t *testing.T) {
	constraint, err := nameconstraints.Parse(wrap(0x30, permitted(uri("host.example"))))
	require.NoError(t, err)
	for text, want := range map[string]bool{
		"http://host.example/":       true,
		"a+1-.b://host.example/":     true,
		"://host.example/":           false,
		"1http://host.example/":      false,
		"+http://host.example/":      false,
		"ht_tp://host.example/":      false,
		"ht tp://host.example/":      false,
		"//host.example/":            false,
		"host.example":               false,
		"":                           false,
		"http:/host.example/":        false,
		"http:host.example":          false,
		"http://other.example/:http": false,
	} {
		err := constraint.Check(cert([]byte{0x30, 0}, nil, altNames(uri(text))))
		assert.Equal(t, want, err == nil, "%q: %v", text, err)
	}
}

// The error contains the name, and the constraints on its form.
func TestConstraints_Check_SaysWhatIsPermitted(t *testing.T) {
	constraint, err := nameconstraints.Parse(wrap(0x30, permitted(dns("host.example"), dns("other.example"), uri("web.example"), ip(192, 0, 2, 0, 255, 255, 255, 0))))
	require.NoError(t, err)
	err = constraint.Check(cert([]byte{0x30, 0}, nil, altNames(dns("evil.example"))))
	require.ErrorContains(t, err, "evil.example")
	assert.ErrorContains(t, err, `"host.example"`)
	assert.ErrorContains(t, err, `"other.example"`)
	assert.NotContains(t, err.Error(), "web.example")
	err = constraint.Check(cert([]byte{0x30, 0}, nil, altNames(ip(198, 51, 100, 7))))
	assert.ErrorContains(t, err, "198.51.100.7")
	assert.ErrorContains(t, err, `"192.0.2.0/24"`)
}

// CVE-2018-16875 and similar: at most 50 000 names are compared with constraints for one chain, and
// one more is refused.
func TestCheck_ComparisonsAreBounded(t *testing.T) {
	bases := [][]byte{email("nobody.example")}
	for i := range 1999 {
		bases = append(bases, dns(fmt.Sprintf("x%d.example", i)))
	}
	tree := wrap(0x30, excluded(bases...))
	names := slices.Repeat([][]byte{dns("host.example")}, 25)
	for mails, want := range map[int]bool{25: true, 26: false} {
		constraint, err := nameconstraints.Parse(tree)
		require.NoError(t, err)
		all := append(slices.Clone(names), slices.Repeat([][]byte{email("a@host.example")}, mails)...) // 49 975 comparisons, plus one for each address
		err = constraint.Check(cert([]byte{0x30, 0}, nil, altNames(all...)))
		assert.Equal(t, want, err == nil, "%d addresses: %v", mails, err)
	}
}

// RFC 4632, section 3.1: a mask consists of ones followed by zeros. A mask with a gap denotes no
// prefix.
func TestConstraints_Check_MasksWithAGapAreNotApplied(t *testing.T) {
	for _, mask := range [][4]byte{{255, 255, 0, 128}, {255, 254, 128, 0}, {255, 127, 0, 0}, {0, 0, 0, 1}} {
		for _, tree := range [][]byte{permitted(ip(10, 0, 0, 0, mask[0], mask[1], mask[2], mask[3])), excluded(ip(10, 0, 0, 0, mask[0], mask[1], mask[2], mask[3]))} {
			constraint, err := nameconstraints.Parse(wrap(0x30, tree))
			require.NoError(t, err)
			require.ErrorContains(t, constraint.Check(cert([]byte{0x30, 0}, nil, altNames(ip(10, 0, 0, 0)))), "contiguous mask", "%v", mask)
		}
	}
}

// finding S16: each chain had 50 000 comparisons of its own, and one caller can present many chains.
func TestCheck_ChainsOfOneLeafShareTheBound(t *testing.T) {
	ca := directory(t, utf8Text, "CN=CA")
	leaf := cert([]byte{0x30, 0}, ca, altNames(slices.Repeat([][]byte{dns("a.example")}, 500)...))
	chain := []*x509.Certificate{leaf, cert(ca, ca, constraints(excluded(slices.Repeat([][]byte{dns("host.example")}, 50)...)))}
	made := 0
	for i, want := range []bool{true, true, false, false} { // 25 000 comparisons each
		err := nameconstraints.Check(chain, &made)
		assert.Equal(t, want, err == nil, "chain %d: %v", i, err)
	}
	assert.NoError(t, check(chain), "the chain alone")
}

// finding S16: a directory name was prepared again for each comparison, which took up to 20 times as long.
func TestCheck_AComparisonPreparesNothing(t *testing.T) {
	const names, trees = 200, 200
	ca := directory(t, utf8Text, "CN=CA")
	name := func(text string) []byte { return dir(directory(t, utf8Text, text)) }
	chain := []*x509.Certificate{
		cert([]byte{0x30, 0}, ca, altNames(slices.Repeat([][]byte{name("O=xb\u0308,C=DE")}, names)...)),
		cert(ca, ca, constraints(excluded(slices.Repeat([][]byte{name("O=ya\u0308,C=DE")}, trees)...))),
	}
	require.NoError(t, check(chain))
	assert.Less(t, testing.AllocsPerRun(5, func() { _ = check(chain) }), float64(names*trees), "fewer allocations than comparisons")
}
