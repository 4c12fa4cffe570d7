package policyfile

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"

	"github.com/go-json-experiment/json/jsontext"
)

type listForm struct {
	elem  reflect.Type
	empty bool // an empty list is permitted
}

func (f *listForm) decode(d *decoder, n *node, into reflect.Value) {
	if n.kind != '[' {
		d.mistake(n, "%s, want a list", n.what())
		return
	}
	if len(n.items) == 0 && !f.empty {
		d.mistake(n, "an empty list")
		return
	}
	elem := formOf(f.elem)
	list := reflect.MakeSlice(into.Type(), len(n.items), len(n.items))
	for i, item := range n.items {
		elem.decode(d, item, list.Index(i))
	}
	into.Set(list)
}

func (f *listForm) encode(e *encoder, v reflect.Value) error {
	if v.Len() == 0 && !f.empty {
		return errors.New("an empty list")
	}
	if err := e.write(jsontext.BeginArray); err != nil {
		return err
	}
	elem := formOf(f.elem)
	for i := range v.Len() {
		if err := elem.encode(e, v.Index(i)); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return e.write(jsontext.EndArray)
}

func (f *listForm) schema(s *schema) map[string]any {
	list := map[string]any{"type": "array", "items": s.of(f.elem)}
	if !f.empty {
		list["minItems"] = 1
	}
	return list
}

// mapForm is the form of values under names that the document chooses.
type mapForm struct{ elem reflect.Type }

const namePattern = `^[A-Za-z][A-Za-z0-9_-]{0,63}$`

var nameText = regexp.MustCompile(namePattern)

func (f *mapForm) decode(d *decoder, n *node, into reflect.Value) {
	if n.kind != '{' {
		d.mistake(n, "%s, want an object", n.what())
		return
	}
	if len(n.members) == 0 {
		d.mistake(n, "an empty object")
		return
	}
	elem := formOf(f.elem)
	result := reflect.MakeMap(into.Type())
	for _, m := range n.members {
		if !nameText.MatchString(m.name) {
			d.add(m.at, m.value, false, "%s is not a name of letters, digits, hyphens and underscores", []any{quoted(m.name)})
			continue
		}
		value := reflect.New(f.elem).Elem()
		elem.decode(d, m.value, value)
		result.SetMapIndex(reflect.ValueOf(m.name), value)
	}
	into.Set(result)
}

func (*mapForm) encode(*encoder, reflect.Value) error { return errors.New("not written") }

func (f *mapForm) schema(s *schema) map[string]any {
	return map[string]any{
		"type": "object", "minProperties": 1, "propertyNames": map[string]any{"pattern": namePattern},
		"additionalProperties": s.of(f.elem),
	}
}
