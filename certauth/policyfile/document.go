package policyfile

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// content is the content of a document, member by member.
type content struct {
	Schema             string
	Description        string
	Source             certauth.Source
	Policy             certauth.Policy
	Optional           bool
	Exclusions         []certauth.Exclusion
	Revocation         map[string]revocation.Config
	Challenge          string
	LogRepeats         bool
	ReloadInterval     time.Duration
	CacheSize          int
	InsecureReportOnly bool
	Cases              []Case
}

// Document is a policy document that was read and that certauth.New accepts. It is immutable.
type Document struct {
	// Config is the configuration in the document, combined with the code that was given to [Load].
	Config certauth.Config
	// Description is the description in the document.
	Description string
	// Checkers are the revocation checks of the document by name.
	Checkers map[string]*revocation.Checker
	// Revocation holds their configurations by name.
	Revocation map[string]revocation.Config
	// Cases are the tests in the document; [Document.RunCases] runs them.
	Cases []Case

	name     string
	text     []byte
	root     *node
	auth     *certauth.Authenticator
	seen     [sha256.Size]byte // digest of the text and of everything that was read with it
	checkers map[string]*sharedChecker
}

// sharedChecker is a checker that outlives the document if the next document has the same settings,
// because what it remembers is valuable.
type sharedChecker struct {
	key     [sha256.Size]byte
	checker *revocation.Checker
	users   atomic.Int64
}

// Load reads a document and the material to which it refers, and makes an Authenticator of it. From
// code it takes Deny, Logger, Observe and Now, which a document cannot contain; any other field of
// code must be zero. Revocation checks receive Logger and Now. If the document has mistakes,
// errors.As finds the [Mistakes] in the error. Load does not run the cases. It waits for the files no
// longer than a minute.
//
// Names of files in the document are relative to its directory. Close the Document when it is no
// longer needed.
func Load(path string, code certauth.Config) (*Document, error) {
	if err := checkCode(code); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookLimit)
	defer cancel()
	var doc *Document
	var err error
	if late := inTime(ctx, path, func() { doc, err = loadInUse(ctx, path, code) }); late != nil {
		return nil, late
	}
	return doc, err
}

func loadInUse(ctx context.Context, path string, code certauth.Config) (doc *Document, err error) {
	defer func() {
		if p := recover(); p != nil { // nobody else recovers it in this goroutine
			doc, err = nil, fmt.Errorf("policyfile: panic: %v", p)
		}
	}()
	if doc, _, err = load(path, code, nil); err != nil {
		return nil, err
	}
	if mistakes := doc.make(true); len(mistakes) > 0 { // a file has changed since
		return nil, errors.Join(mistakes, doc.Close())
	}
	if ctx.Err() != nil { // nobody waits any longer
		return nil, errors.Join(ctx.Err(), doc.Close())
	}
	return doc, nil
}

func checkCode(code certauth.Config) error {
	code.Deny, code.Logger, code.Observe, code.Now = nil, nil, nil, nil
	if v := reflect.ValueOf(code); !v.IsZero() {
		for i := range v.NumField() {
			if !v.Field(i).IsZero() {
				return fmt.Errorf("policyfile: %s is set in code; set it in the document instead", v.Type().Field(i).Name)
			}
		}
	}
	return nil
}

// load also returns the digest of everything that was read, even if the document is refused.
func load(path string, code certauth.Config, before map[string]*sharedChecker) (*Document, [sha256.Size]byte, error) {
	text, err := readFile(path, maxDocument)
	if err != nil {
		return nil, sha256.Sum256([]byte(err.Error())), Mistakes{{File: filepath.Base(path), Text: err.Error()}}
	}
	doc := &Document{name: path, text: text, checkers: map[string]*sharedChecker{}}
	mat := &material{}
	mistakes := doc.read(code, mat, before)
	doc.seen = mat.sum(text)
	if len(mistakes) == 0 {
		return doc, doc.seen, nil
	}
	mistakes = mistakes[:min(len(mistakes), maxMistakes)]
	for i := range mistakes {
		mistakes[i].File = filepath.Base(path)
	}
	sort.SliceStable(mistakes, func(i, j int) bool {
		a, b := mistakes[i], mistakes[j]
		return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
	})
	return nil, doc.seen, errors.Join(mistakes, doc.Close())
}

func (doc *Document) read(code certauth.Config, mat *material, before map[string]*sharedChecker) Mistakes {
	root, mistake := parseJSON(doc.text)
	if mistake != nil {
		return Mistakes{*mistake}
	}
	doc.root = root
	d := &decoder{text: doc.text, dir: filepath.Dir(doc.name), material: mat, checkers: map[string]certauth.RevocationChecker{}}
	doc.Revocation, doc.Checkers = d.content(root).Revocation, map[string]*revocation.Checker{}
	if len(d.mistakes) > 0 {
		return d.mistakes
	}
	if mistakes := doc.makeCheckers(d, code, before); len(mistakes) > 0 {
		return mistakes
	}
	for name, checker := range doc.Checkers {
		d.checkers[name] = checker
	}
	c := d.content(root)
	doc.Description, doc.Cases = c.Description, c.Cases
	doc.Config = code
	c.into(&doc.Config)
	d.mistakes = append(d.mistakes, checkCases(doc, root)...)
	if len(d.mistakes) > 0 {
		return d.mistakes
	}
	return doc.make(false)
}

// make makes the Authenticator. If it is not known yet whether the document will be used, nothing is
// logged or reported.
func (doc *Document) make(inUse bool) Mistakes {
	config := doc.Config
	if !inUse {
		config.Logger, config.Observe = nil, nil
	}
	auth, err := certauth.New(config)
	if err != nil {
		return doc.located(err, doc.root)
	}
	doc.auth = auth
	return nil
}

func (c *content) into(config *certauth.Config) {
	config.Source, config.Policy, config.Optional, config.Exclusions = c.Source, c.Policy, c.Optional, c.Exclusions
	config.Challenge, config.LogRepeats, config.ReloadInterval = c.Challenge, c.LogRepeats, c.ReloadInterval
	config.CacheSize, config.InsecureReportOnly = c.CacheSize, c.InsecureReportOnly
}

func (d *decoder) content(root *node) *content {
	for _, m := range root.member("revocation").sorted() {
		if _, made := d.checkers[m.name]; !made {
			d.checkers[m.name] = nil // a rule may name it
		}
	}
	c := &content{}
	formOf(reflect.TypeFor[content]()).decode(d, root, reflect.ValueOf(c).Elem())
	for i := range c.Cases {
		if root.member("cases").items[i].member("revocation") == nil {
			c.Cases[i].Revocation = certauth.RevocationGood
		}
		// A failure here makes the case fail; this only adds to the digest.
		_, _ = d.material.certificates(c.Cases[i].Certificate)
	}
	return c
}

func (doc *Document) makeCheckers(d *decoder, code certauth.Config, before map[string]*sharedChecker) Mistakes {
	var mistakes Mistakes
	for _, m := range doc.root.member("revocation").sorted() {
		reading := &decoder{text: d.text, dir: d.dir, material: &material{}}
		var config revocation.Config
		formOf(reflect.TypeFor[revocation.Config]()).decode(reading, m.value, reflect.ValueOf(&config).Elem())
		key := reading.material.sum(d.text[m.value.at:m.value.end])
		if old := before[m.name]; old != nil && old.key == key {
			old.users.Add(1)
			doc.checkers[m.name], doc.Checkers[m.name] = old, old.checker
			continue
		}
		config.Logger, config.Now = code.Logger, code.Now
		checker, err := revocation.New(config)
		if err != nil {
			mistakes = append(mistakes, doc.located(err, m.value)...)
			continue
		}
		own := &sharedChecker{key: key, checker: checker}
		own.users.Store(1)
		doc.checkers[m.name] = own
		doc.Checkers[m.name] = checker
	}
	return mistakes
}

// sorted returns the members by name, and none for a nil node.
func (n *node) sorted() []member {
	if n == nil {
		return nil
	}
	return slices.SortedFunc(slices.Values(n.members), func(a, b member) int { return strings.Compare(a.name, b.name) })
}

// Authenticator returns the Authenticator that certauth.New made of the document.
func (doc *Document) Authenticator() *certauth.Authenticator { return doc.auth }

// Close closes the document's revocation checks. The Authenticator must not be used afterwards.
func (doc *Document) Close() error {
	var errs []error
	for _, shared := range doc.checkers {
		if shared.users.Add(-1) == 0 {
			errs = append(errs, shared.checker.Close())
		}
	}
	doc.checkers = nil
	return errors.Join(errs...)
}
