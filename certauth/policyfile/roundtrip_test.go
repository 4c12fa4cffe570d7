package policyfile

import (
	"bytes"
	"context"
	"crypto/x509"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// compiled returns a package as the compiler sees it.
func compiled(t *testing.T, path string) *types.Package {
	t.Helper()
	list, err := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}", path).Output()
	require.NoError(t, err)
	exports := map[string]string{}
	for line := range strings.Lines(string(list)) {
		name, file, _ := strings.Cut(strings.TrimSpace(line), "=")
		exports[name] = file
	}
	pkg, err := importer.ForCompiler(token.NewFileSet(), "gc", func(name string) (io.ReadCloser, error) { return os.Open(exports[name]) }).Import(path)
	require.NoError(t, err)
	return pkg
}

// equal is like reflect.DeepEqual, but treats a function as equal to itself.
func equal(a, b reflect.Value) bool {
	if a.IsValid() != b.IsValid() || !a.IsValid() {
		return a.IsValid() == b.IsValid()
	}
	if a.Type() != b.Type() {
		return false
	}
	switch a.Kind() {
	case reflect.Func:
		return a.Pointer() == b.Pointer()
	case reflect.Pointer:
		return a.Pointer() == b.Pointer() || !a.IsNil() && !b.IsNil() && a.Type() == reflect.TypeFor[*x509.Certificate]() &&
			bytes.Equal(a.Elem().FieldByName("Raw").Bytes(), b.Elem().FieldByName("Raw").Bytes())
	case reflect.Interface:
		return equal(a.Elem(), b.Elem())
	case reflect.Slice:
		if a.Len() != b.Len() || a.IsNil() != b.IsNil() {
			return false
		}
		for i := range a.Len() {
			if !equal(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Struct:
		for i := range a.NumField() {
			if !equal(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	}
	return a.Equal(b)
}

// implementations returns the types of a compiled package that implement one of its interfaces,
// including unexported ones.
func implementations(t *testing.T, path, name string) []string {
	t.Helper()
	pkg := compiled(t, path)
	wanted, ok := pkg.Scope().Lookup(name).Type().Underlying().(*types.Interface)
	require.True(t, ok)
	var found []string
	for _, n := range pkg.Scope().Names() {
		object, ok := pkg.Scope().Lookup(n).(*types.TypeName)
		if !ok || types.IsInterface(object.Type()) {
			continue
		}
		if types.Implements(object.Type(), wanted) || types.Implements(types.NewPointer(object.Type()), wanted) {
			found = append(found, n)
		}
	}
	return found
}

// randomTree makes policies of every kind in the table, by reflection on the table.
type randomTree struct {
	*rand.Rand
	certificates []*x509.Certificate
	checker      certauth.RevocationChecker
	made         map[string]int
}

func (r *randomTree) word() string {
	const letters = `abcXYZ-./:@ "\<ß漢` + "\x01"
	runes := []rune(letters)
	text := make([]rune, 1+r.IntN(12))
	for i := range text {
		text[i] = runes[r.IntN(len(runes))]
	}
	return string(text)
}

func (r *randomTree) fill(v reflect.Value, depth int) {
	t := v.Type()
	switch t {
	case reflect.TypeFor[certauth.Policy](), reflect.TypeFor[certauth.CertSource](), reflect.TypeFor[certauth.PinSource]():
		kinds := unions[t].kinds
		for {
			k := kinds[r.IntN(len(kinds))]
			if depth <= 0 && slices.Contains([]string{"all", "any", "not", "named", "acceptServerAuth"}, k.name) {
				continue
			}
			v.Set(reflect.ValueOf(r.value(k, depth)))
			r.made[unions[t].name+" "+k.name]++
			return
		}
	case reflect.TypeFor[time.Duration]():
		v.SetInt(r.Int64N(int64(99999 * 24 * time.Hour)))
		return
	case reflect.TypeFor[[]byte]():
		v.SetBytes([]byte(r.word()))
		return
	}
	if list, ok := enums[t]; ok {
		v.Set(reflect.ValueOf(list[r.IntN(len(list))].value))
		return
	}
	switch t.Kind() {
	case reflect.String:
		v.SetString(r.word())
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int:
		v.SetInt(int64(r.IntN(1 << 16)))
	case reflect.Slice:
		n := 1 + r.IntN(3)
		v.Set(reflect.MakeSlice(t, n, n))
		for i := range n {
			r.fill(v.Index(i), depth-1)
		}
	case reflect.Struct:
		for i := range t.NumField() {
			if r.IntN(4) > 0 || t.Field(i).Type.Kind() == reflect.Interface {
				r.fill(v.Field(i), depth-1)
			}
		}
	default:
		panic("no random value of " + t.String())
	}
}

func (r *randomTree) value(k kind, depth int) any {
	switch k.name {
	case "certificates":
		return certauth.Certificates(r.certificates[:1+r.IntN(len(r.certificates))]...)
	case "insecureSystemRoots":
		return certauth.InsecureSystemRoots()
	case "notRevoked":
		return certauth.NotRevoked{Checker: r.checker}
	case "thumbprintsFrom", "thumbprintsSHA1From", "publicKeysFrom":
		var source certauth.PinSource
		r.fill(reflect.ValueOf(&source).Elem(), depth)
		return map[string]func(certauth.PinSource) certauth.Policy{
			"thumbprintsFrom": certauth.ThumbprintsFrom, "thumbprintsSHA1From": certauth.ThumbprintsSHA1From, "publicKeysFrom": certauth.PublicKeysFrom,
		}[k.name](source)
	}
	value := reflect.New(k.shape).Elem()
	if k.shape == reflect.TypeFor[certauth.PEM]() {
		value.SetBytes([]byte(r.word()))
		return value.Interface()
	}
	r.fill(value, depth)
	return value.Interface()
}

func TestMarshalPolicy_EveryPolicyThatIsNotCodeReadsBackEqual(t *testing.T) {
	const root = "github.com/seed2886b8ae/go-certauth/certauth"
	ca := certauthtest.NewCA(t, "CA")
	checker, err := revocation.New(revocation.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, checker.Close()) })
	checkers := map[string]certauth.RevocationChecker{"strict": checker}
	r := &randomTree{
		Rand: rand.New(rand.NewPCG(17, 17)), made: map[string]int{}, checker: checker,
		certificates: []*x509.Certificate{ca.Certificate, ca.Issue(t, "a").Certificate, ca.Issue(t, "b").Certificate},
	}
	types := map[string]bool{}
	var see func(v reflect.Value)
	see = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Interface:
			if !v.IsNil() {
				types[v.Elem().Type().Name()] = true
				see(v.Elem())
			}
		case reflect.Slice:
			for i := range v.Len() {
				see(v.Index(i))
			}
		case reflect.Struct:
			for i := range v.NumField() {
				see(v.Field(i))
			}
		}
	}
	for i := range 4000 {
		var policy certauth.Policy
		r.fill(reflect.ValueOf(&policy).Elem(), 1+i%6)
		see(reflect.ValueOf(&policy).Elem())
		text, err := MarshalPolicy(policy, checkers)
		require.NoError(t, err, "%#v", policy)
		back, err := UnmarshalPolicy(text, checkers)
		require.NoError(t, err, "%s", text)
		require.True(t, equal(reflect.ValueOf(policy), reflect.ValueOf(back)), "%s", text)
		again, err := MarshalPolicy(back, checkers)
		require.NoError(t, err)
		require.Equal(t, string(text), string(again))
	}

	code := map[string][]string{"Policy": {"PolicyFunc"}, "CertSource": {"CertFunc"}, "PinSource": {"PinFunc"}}
	for name, left := range code {
		found := implementations(t, root, name)
		require.Greater(t, len(found), len(left), "nothing implements %s", name)
		for _, one := range found {
			if slices.Contains(left, one) {
				continue
			}
			assert.True(t, types[one], "%s implements %s: give it a line in the table", one, name)
		}
	}
}

func TestTable_HoldsEverySourceAndGateAndReason(t *testing.T) {
	const root = "github.com/seed2886b8ae/go-certauth/certauth"
	kinds := func(t reflect.Type) map[string]bool {
		found := map[string]bool{}
		for _, k := range unions[t].kinds {
			found[k.goName] = true
		}
		return found
	}
	sources := kinds(reflect.TypeFor[certauth.Source]())
	pkg, core := compiled(t, root+"/forwarded"), compiled(t, root)
	found := 0
	gate := pkg.Scope().Lookup("Gate").Type()
	for _, name := range pkg.Scope().Names() {
		switch object := pkg.Scope().Lookup(name).(type) {
		case *types.TypeName:
			method, _, _ := types.LookupFieldOrMethod(object.Type(), true, pkg, "Prepare")
			if object.Exported() && method != nil && !types.IsInterface(object.Type()) {
				found++
				assert.True(t, sources["forwarded."+name], "forwarded.%s is a source: give it a line in the table", name)
			}
		case *types.Func:
			results := object.Signature().Results()
			if object.Exported() && results.Len() == 1 && types.Identical(results.At(0).Type(), gate) {
				found++
				assert.True(t, kinds(reflect.TypeFor[forwarded.Gate]())["forwarded."+name], "forwarded.%s is a gate: give it a line in the table", name)
			}
		}
	}
	require.Greater(t, found, 25)

	known := map[string]bool{}
	for _, reason := range reasons {
		known[string(reason)] = true
	}
	for _, name := range core.Scope().Names() {
		if constant, ok := core.Scope().Lookup(name).(*types.Const); ok && strings.HasPrefix(name, "Reason") && name != "ReasonNone" {
			assert.True(t, known[strings.Trim(constant.Val().ExactString(), `"`)], "%s", name)
		}
	}
}

// A field that is added to the Go values must be in the document or be omitted on purpose.
func TestTable_HoldsEveryFieldOfConfig(t *testing.T) {
	for field := range reflect.TypeFor[certauth.Config]().Fields() {
		_, held := reflect.TypeFor[content]().FieldByName(field.Name)
		_, left := omitted["certauth.Config."+field.Name]
		assert.True(t, held || left, "certauth.Config.%s", field.Name)
	}
	// formOf panics if a field of one of these types has no form.
	names(reflect.TypeFor[content](), map[reflect.Type]bool{}, map[string]bool{})
	for name := range omitted {
		pkg, rest, _ := strings.Cut(name, ".")
		typ, field, _ := strings.Cut(rest, ".")
		of := map[string]reflect.Type{
			"certauth.Config": reflect.TypeFor[certauth.Config](), "revocation.Config": reflect.TypeFor[revocation.Config](),
			"fetch.HTTPOptions": reflect.TypeFor[revocation.HTTPOptions](), "evidence.VerifyOptions": reflect.TypeFor[revocation.VerifyOptions](),
		}[pkg+"."+typ]
		if assert.NotNil(t, of, name) {
			_, there := of.FieldByName(field)
			assert.True(t, there, "%s no longer exists", name)
		}
	}
}

type funcChecker func()

func (funcChecker) CheckChain(context.Context, []*x509.Certificate) (certauth.Revocation, error) {
	return certauth.Revocation{}, nil
}

// finding P23: a checker of a type that cannot be compared, such as a function, was a panic.
func TestMarshalPolicy_ACheckerOfAnyType(t *testing.T) {
	function := funcChecker(func() {})
	pointer := &function
	for name, checker := range map[string]certauth.RevocationChecker{"a function": function, "a pointer": pointer, "none": nil} {
		_, err := MarshalPolicy(certauth.NotRevoked{Checker: checker}, nil)
		require.Error(t, err, name)
		_, err = MarshalPolicy(certauth.NotRevoked{Checker: checker}, map[string]certauth.RevocationChecker{"f": function, "p": pointer})
		assert.Equal(t, name != "a pointer", err != nil, "%s: %v", name, err)
	}
	text, err := MarshalPolicy(certauth.NotRevoked{Checker: pointer}, map[string]certauth.RevocationChecker{"z": pointer, "f": function, "p": pointer})
	require.NoError(t, err)
	assert.JSONEq(t, `{"notRevoked": {"checker": "p"}}`, string(text), "the first of its names")
}

func TestMarshalPolicy_CodeAndNothingHaveNoPlaceInADocument(t *testing.T) {
	for name, policy := range map[string]certauth.Policy{
		"a function":               certauth.PolicyFunc{Name: "f"},
		"a function in a list":     certauth.All{certauth.DNSNames{"a"}, certauth.PolicyFunc{Name: "f"}},
		"certificates by function": certauth.Chain{Roots: certauth.CertFunc(nil)},
		"pins by function":         certauth.ThumbprintsFrom(certauth.PinFunc(nil)),
		"nil":                      nil,
		"nil in a list":            certauth.All{nil},
		"nil pointer":              (*certauth.Chain)(nil),
		"an empty list":            certauth.DNSNames{},
		"a negative duration":      certauth.Validity{MaxLifetime: -1},
		"a huge depth":             certauth.Chain{Roots: certauth.PEMFile("a"), MaxDepth: math.MaxInt},
		"an unknown algorithm":     certauth.Keys{Algorithms: []x509.PublicKeyAlgorithm{x509.DSA}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := MarshalPolicy(policy, nil)
			assert.Error(t, err)
		})
	}
	text, err := MarshalPolicy(&certauth.Chain{Roots: certauth.PEMFile("a")}, nil)
	require.NoError(t, err)
	assert.JSONEq(t, `{"chain": {"roots": {"pemFile": "a"}}}`, string(text))
}
