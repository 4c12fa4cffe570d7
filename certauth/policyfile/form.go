package policyfile

import (
	"crypto/x509"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// form is the representation of one Go type in a document. The three methods must agree: decode
// accepts the form that encode writes and schema describes.
type form interface {
	decode(d *decoder, n *node, into reflect.Value)
	encode(e *encoder, v reflect.Value) error
	schema(s *schema) map[string]any
}

// formOf returns the form of a type. A type without a form is a mistake in this package, which the
// tests find because they walk all types.
func formOf(t reflect.Type) form {
	if u, ok := unions[t]; ok {
		return &unionForm{t, u}
	}
	if list, ok := enums[t]; ok {
		return &enumForm{list}
	}
	switch t {
	case reflect.TypeFor[time.Duration]():
		return durationForm{}
	case reflect.TypeFor[certauth.PEM]():
		return textForm{}
	case reflect.TypeFor[certauth.PEMFile](), reflect.TypeFor[certauth.CertFile](), reflect.TypeFor[certauth.CertDir](),
		reflect.TypeFor[certauth.PinFile](), reflect.TypeFor[secretFile]():
		return textForm{file: true}
	case reflect.TypeFor[netip.Prefix]():
		return prefixForm{}
	case reflect.TypeFor[*url.URL]():
		return urlForm{}
	case reflect.TypeFor[[]byte]():
		return hexForm{}
	case reflect.TypeFor[*x509.Certificate](), reflect.TypeFor[[]*x509.Certificate]():
		return certificatesForm{}
	case reflect.TypeFor[*time.Time]():
		return instantForm{}
	}
	switch t.Kind() {
	case reflect.String:
		return textForm{}
	case reflect.Bool:
		return boolForm{}
	case reflect.Int:
		return intForm{}
	case reflect.Slice:
		return &listForm{elem: t.Elem()}
	case reflect.Map:
		return &mapForm{elem: t.Elem()}
	case reflect.Struct:
		return newStructForm(t)
	}
	panic("policyfile: no form for " + t.String())
}

// goNameOf returns the name of a type in the tables.
func goNameOf(t reflect.Type) string {
	if i := strings.LastIndexByte(t.PkgPath(), '/'); i >= 0 {
		return t.PkgPath()[i+1:] + "." + t.Name()
	}
	return t.String()
}
