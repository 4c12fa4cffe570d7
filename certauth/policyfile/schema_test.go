package policyfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// documents makes JSON values from the table, most of them valid.
type documents struct{ *rand.Rand }

func (r *documents) pick(list ...any) any { return list[r.IntN(len(list))] }

func (r *documents) value(f form, depth int) any {
	switch f := f.(type) {
	case boolForm:
		return r.pick(true, false)
	case intForm:
		return r.pick(0, 1, -7, 1<<31-1, -1<<31, json.Number("5.0"), json.Number("1e2"))
	case durationForm:
		return r.pick("0s", "90s", "1h30m", "10d", "99999d99999h99999m99999s99999ms99999us99999ns", "5ms")
	case hexForm:
		return r.pick("00", "AbFf", "0c0141")
	case prefixForm:
		return r.pick("10.0.0.0/8", "fd00::/64", "")
	case urlForm:
		return r.pick("http://proxy.example:3128", "::")
	case instantForm:
		return r.pick("now", "2026-12-01T00:00:00Z", "2028-02-28T23:59:59Z", "2026-04-30T12:00:00Z", "2026-12-31T12:00:00Z")
	case textForm:
		return r.pick("", "a", "ü\n", "orders.partner.example", "/health")
	case *enumForm:
		return f.words[r.IntN(len(f.words))].name
	case certificatesForm:
		return r.value(formOf(reflect.TypeFor[certauth.CertSource]()), depth)
	case *listForm:
		list := []any{}
		for range r.IntN(3) {
			list = append(list, r.value(formOf(f.elem), depth-1))
		}
		if len(list) == 0 && !f.empty {
			list = append(list, r.value(formOf(f.elem), depth-1))
		}
		return list
	case *mapForm:
		return map[string]any{r.pick("strict", "a_b-1", "Z").(string): r.value(formOf(f.elem), depth-1)}
	case *structForm:
		object := map[string]any{}
		for _, field := range f.fields {
			if field.required || depth > 0 && r.IntN(3) == 0 {
				object[field.name] = r.value(field.form(), depth-1)
			}
		}
		return object
	case *unionForm:
		for {
			k := f.kinds[r.IntN(len(f.kinds))]
			deep := slices.Contains([]string{"all", "any", "not", "named", "acceptServerAuth", "certificates", "everyGate", "anyGate", "proxyProtocol", "proxyCertificate", "appServiceCertificate"}, k.name)
			if depth > 0 || !deep {
				return map[string]any{k.name: r.value(formOf(k.shape), depth-1)}
			}
		}
	}
	panic(fmt.Sprintf("no value for %T", f))
}

// spoil changes one random place in the value.
func (r *documents) spoil(v any) any {
	switch v := v.(type) {
	case map[string]any:
		keys := slices.Sorted(func(yield func(string) bool) {
			for key := range v {
				if !yield(key) {
					return
				}
			}
		})
		if len(keys) > 0 && r.IntN(5) > 0 {
			key := keys[r.IntN(len(keys))]
			v[key] = r.spoil(v[key])
			return v
		}
		switch r.IntN(4) {
		case 0:
			v["unknown"] = 1
		case 1:
			if len(keys) > 0 {
				delete(v, keys[r.IntN(len(keys))])
			}
		case 2:
			if len(keys) > 0 {
				key := keys[r.IntN(len(keys))]
				v[strings.ToUpper(key)] = v[key]
				delete(v, key)
			}
		default:
			return r.junk()
		}
		return v
	case []any:
		if len(v) > 0 && r.IntN(4) > 0 {
			i := r.IntN(len(v))
			v[i] = r.spoil(v[i])
			return v
		}
		return []any{}
	}
	return r.junk()
}

func (r *documents) junk() any {
	return r.pick(nil, 1, 1.5, int64(-1<<40), true, "x", "", "1H", "5m5h", "s", "2026-02-30T00:00:00Z", "2026-12-01", "0g", "abc", "RSA", "rsa",
		[]any{}, []any{"a"}, []any{1}, map[string]any{}, map[string]any{"pemFile": "a"}, map[string]any{"all": []any{}}, map[string]any{"a": 1, "b": 2})
}

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	require.NoError(t, compiler.AddResource("policy.schema.json", parsed))
	compiled, err := compiler.Compile("policy.schema.json") // also checks it against its metaschema
	require.NoError(t, err)
	return compiled
}

// formMistakes checks only the form of a document.
func formMistakes(text []byte) Mistakes {
	root, mistake := parseJSON(text)
	if mistake != nil {
		return Mistakes{*mistake}
	}
	d := &decoder{text: text, material: &material{}, checkers: map[string]certauth.RevocationChecker{}}
	var c content
	formOf(reflect.TypeFor[content]()).decode(d, root, reflect.ValueOf(&c).Elem())
	return slices.DeleteFunc(d.mistakes, func(m Mistake) bool { return m.value })
}

func TestSchema_AcceptsAndRefusesWhatTheDecoderDoes(t *testing.T) {
	schema := compiledSchema(t)
	r := &documents{rand.New(rand.NewPCG(1, 2))}
	accepted, refused := 0, 0
	for i := range 3000 {
		value := r.value(newStructForm(reflect.TypeFor[content]()), 1+i%7)
		for range i % 3 {
			value = r.spoil(value)
		}
		text, err := json.Marshal(value)
		require.NoError(t, err)
		parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		require.NoError(t, err)
		mistakes := formMistakes(text)
		if i%3 == 0 {
			require.Empty(t, mistakes, "%s", text)
		}
		verdict := schema.Validate(parsed)
		if !assert.Equal(t, len(mistakes) == 0, verdict == nil, "decoder: %v\nschema: %v\n%s", mistakes, verdict, text) {
			return
		}
		if verdict == nil {
			accepted++
		} else {
			refused++
		}
	}
	assert.Greater(t, accepted, 1000)
	assert.Greater(t, refused, 1000)
}

func TestSchema_IsMadeForEditors(t *testing.T) {
	var schema struct {
		Schema     string `json:"$schema"`
		Properties map[string]struct {
			Description string
			Default     any
		}
		Defs map[string]struct {
			Properties map[string]struct {
				Description string
				Default     any
			}
		} `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(Schema(), &schema))
	assert.Equal(t, "https://json-schema.org/draft/2020-12/schema", schema.Schema)
	assert.Equal(t, false, schema.Properties["optional"].Default)
	assert.Contains(t, schema.Defs["certauth-Chain"].Properties["maxDepth"].Description, "largest number of CA certificates")
	assert.Equal(t, false, schema.Defs["certauth-Chain"].Properties["strictEKU"].Default)
	assert.Equal(t, "good", schema.Defs["policyfile-Case"].Properties["revocation"].Default)
	assert.Contains(t, schema.Properties, "$schema")
}
