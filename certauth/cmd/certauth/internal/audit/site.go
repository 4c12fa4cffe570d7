package audit

import (
	"fmt"
	"slices"
	"strings"
)

// Site is one site or one slot, combined from all inputs.
type Site struct {
	// Name is the site's name, "site/slot" for a slot; it may be empty.
	Name string
	// Terraform reports whether the fields come from Terraform, whose names differ.
	Terraform bool

	fields     map[string]*value
	others     map[string]*value // of decisive fields, an earlier value that differs
	origins    map[string]string // field → tool
	settings   map[string]*value
	allSet     bool // all settings are known
	slot       bool
	hasSlots   bool
	template   bool
	file       string
	line       int
	separators map[string]bool
}

// Inputs holds everything that was read.
type Inputs struct {
	Sites []*Site
	// Certificates are those in the output of "az webapp config ssl list".
	Certificates []Certificate
	seenList     bool
	loose        []*Site // configurations that name no site
}

// Certificate is an uploaded certificate.
type Certificate struct {
	Thumbprint, Subject, Expires string
	file                         string
	line                         int
}

// Fields have the names of ARM. These are Terraform's names for them.
var terraformFields = map[string]string{
	"https_only":                         "httpsOnly",
	"client_certificate_enabled":         "clientCertEnabled",
	"client_certificate_mode":            "clientCertMode",
	"client_certificate_exclusion_paths": "clientCertExclusionPaths",
	"public_network_access_enabled":      "publicNetworkAccess",
	"minimum_tls_version":                "minTlsVersion",
	"scm_minimum_tls_version":            "scmMinTlsVersion",
	"http2_enabled":                      "http20Enabled",
	"health_check_path":                  "healthCheckPath",
	"always_on":                          "alwaysOn",
	"ip_restriction":                     "ipSecurityRestrictions",
	"ip_restriction_default_action":      "ipSecurityRestrictionsDefaultAction",

	// Of azurerm_app_service and azurerm_function_app, which newer versions of the provider do not have.
	"client_cert_enabled": "clientCertEnabled",
	"client_cert_mode":    "clientCertMode",
	"min_tls_version":     "minTlsVersion",
}

var siteFields = []string{
	"httpsOnly", "clientCertEnabled", "clientCertMode", "clientCertExclusionPaths", "endToEndEncryptionEnabled",
	"publicNetworkAccess", "sku", "targetSwapSlot", "slotSwapStatus",
}

// decisive are fields that must not have different values in two inputs, because the last one would hide the other.
var decisive = []string{"httpsOnly", "clientCertEnabled", "clientCertMode"}

var configFields = []string{
	"minTlsVersion", "scmMinTlsVersion", "http20Enabled", "healthCheckPath", "alwaysOn", "ipSecurityRestrictions",
	"ipSecurityRestrictionsDefaultAction", "publicNetworkAccess",
}

// Read adds a text: the output of az webapp or functionapp show, config show, config appsettings
// list or config ssl list, an ARM template or resource, what bicep build writes, or terraform show
// -json; one JSON value or several. Everything else is an error.
func (in *Inputs) Read(file string, text []byte) error {
	values, err := parse(file, text)
	if err != nil {
		return err
	}
	if len(values) == 0 {
		return fmt.Errorf("%s: empty", file)
	}
	for _, v := range values {
		if !in.read(v) {
			return fmt.Errorf("%s:%d: none of the known forms: az webapp show, config show, config appsettings list, config ssl list, an ARM template or resource, terraform show -json", file, v.line)
		}
	}
	return nil
}

func (in *Inputs) read(v *value) bool {
	switch {
	case v.isList:
		return in.readList(v)
	case v.get("terraform_version").known() || v.get("planned_values").known() || v.get("values", "root_module").known():
		module := v.get("planned_values", "root_module")
		if !module.isMap {
			module = v.get("values", "root_module")
		}
		return in.terraform(module)
	case v.get("resources").known() && (v.get("$schema").known() || v.get("contentVersion").known()):
		return in.template(v.get("resources"), "")
	case v.get("properties").isMap && strings.HasPrefix(strings.ToLower(v.get("type").text()), "microsoft.web/"):
		return in.resource(v, "", false)
	case strings.EqualFold(v.get("type").text(), "Microsoft.Web/sites/config"):
		in.config(v, v.get("name").text(), "az")
		return true
	case v.get("properties", "clientCertEnabled").known() || v.get("properties", "httpsOnly").known():
		return in.resource(v, "", false)
	case v.get("clientCertEnabled").known() || v.get("clientCertMode").known() || v.get("httpsOnly").known():
		in.site(v, "az")
		return true
	case v.get("minTlsVersion").known() || v.get("http20Enabled").known() || v.get("ftpsState").known():
		in.config(v, v.get("name").text(), "az")
		return true
	}
	return false
}

func (in *Inputs) readList(v *value) bool {
	if len(v.items) == 0 {
		return true // no settings, no certificates, no sites
	}
	first := v.items[0]
	switch {
	case first.get("thumbprint").known():
		in.seenList = true
		for _, item := range v.items {
			in.Certificates = append(in.Certificates, Certificate{
				Thumbprint: item.get("thumbprint").text(), Subject: item.get("subjectName").text(),
				Expires: item.get("expirationDate").text(), file: item.file, line: item.line,
			})
		}
		return true
	case !first.get("value").missing && first.get("name").known() && first.get("type").missing:
		s := in.loosely("")
		s.allSet, s.file, s.line = true, v.file, v.line
		for _, item := range v.items {
			s.settings[strings.ToUpper(item.get("name").text())] = item.get("value")
		}
		return true
	}
	for _, item := range v.items {
		if !in.read(item) {
			return false
		}
	}
	return true
}

// named returns the site with that name, and creates it if necessary.
func (in *Inputs) named(name string, at *value) *Site {
	for _, s := range in.Sites {
		if strings.EqualFold(s.Name, name) {
			return s
		}
	}
	s := newSite(name)
	s.file, s.line = at.file, at.line
	in.Sites = append(in.Sites, s)
	return s
}

func newSite(name string) *Site {
	return &Site{Name: name, fields: map[string]*value{}, others: map[string]*value{}, origins: map[string]string{}, settings: map[string]*value{}, separators: map[string]bool{}}
}

// loosely stores a configuration until it is known to which site it belongs.
func (in *Inputs) loosely(name string) *Site {
	s := newSite(name)
	in.loose = append(in.loose, s)
	return s
}

func (s *Site) set(field string, v *value, origin string) {
	if !v.known() {
		return
	}
	if before := s.fields[field]; before != nil && slices.Contains(decisive, field) && !strings.EqualFold(before.text(), v.text()) {
		s.others[field] = before
	}
	s.fields[field], s.origins[field] = v, origin
	if field == "clientCertExclusionPaths" {
		for _, separator := range []string{",", ";"} {
			if strings.Contains(v.text(), separator) {
				s.separators[separator] = true
			}
		}
	}
}

func (in *Inputs) site(v *value, origin string) *Site {
	name := v.get("name").text()
	s := in.named(name, v)
	s.slot = strings.EqualFold(v.get("type").text(), "Microsoft.Web/sites/slots") || strings.Contains(name, "/")
	for _, field := range siteFields {
		s.set(field, v.get(field), origin)
	}
	s.config(v.get("siteConfig"), origin)
	return s
}

func (s *Site) config(v *value, origin string) {
	for _, field := range configFields {
		s.set(field, v.get(field), origin)
	}
	if settings := v.get("appSettings"); settings.isList {
		s.allSet = true
		for _, item := range settings.items {
			s.settings[strings.ToUpper(item.get("name").text())] = item.get("value")
		}
	}
}

func (in *Inputs) config(v *value, name, origin string) {
	s := in.loosely(strings.TrimSuffix(name, "/web"))
	s.config(v, origin)
	s.file, s.line = v.file, v.line
}

// template reads the resources of a template: a list, or an object under symbolic names.
func (in *Inputs) template(resources *value, parent string) bool {
	items := resources.items
	for _, m := range resources.object {
		items = append(items, m.value)
	}
	found := false
	for _, item := range items {
		if in.resource(item, parent, true) {
			found = true
		}
		// A nested deployment is a template inside a resource.
		if inner := item.get("properties", "template", "resources"); inner.known() {
			found = in.template(inner, "") || found
		}
	}
	return found
}

func (in *Inputs) resource(v *value, parent string, template bool) bool {
	kind, name := strings.ToLower(v.get("type").text()), v.get("name").text()
	if kind == "sites" || kind == "slots" || kind == "config" { // nested children omit the parent's type
		kind = map[string]string{"sites": "microsoft.web/sites", "slots": "microsoft.web/sites/slots", "config": "microsoft.web/sites/config"}[kind]
		if parent != "" && !strings.Contains(name, "/") {
			name = parent + "/" + name
		}
	}
	properties := v.get("properties")
	switch kind {
	case "microsoft.web/sites", "microsoft.web/sites/slots", "":
		s := in.named(name, v)
		s.slot, s.template = kind == "microsoft.web/sites/slots", template
		if s.slot {
			in.markSlots(name)
		}
		for _, field := range siteFields {
			s.set(field, properties.get(field), "arm")
		}
		if sku := v.get("sku", "name"); sku.known() {
			s.set("sku", sku, "arm")
		}
		s.config(properties.get("siteConfig"), "arm")
		if children := v.get("resources"); children.known() {
			in.template(children, name)
		}
		return true
	case "microsoft.web/sites/config", "microsoft.web/sites/slots/config":
		base, child := cutLast(name)
		child = strings.Trim(child, "')]") // remains of a concat expression
		s := in.loosely(base)
		s.file, s.line = v.file, v.line
		switch {
		case strings.EqualFold(child, "appsettings"):
			s.allSet = true
			for _, m := range properties.object {
				s.settings[strings.ToUpper(m.name)] = m.value
			}
		default:
			for _, field := range siteFields { // az also shows some of these here
				if field != "sku" {
					s.set(field, properties.get(field), "arm")
				}
			}
			s.config(properties, "arm")
		}
		return true
	}
	return false
}

func cutLast(name string) (before, last string) {
	i := strings.LastIndexByte(name, '/')
	if i < 0 {
		return "", name
	}
	return name[:i], name[i+1:]
}

func (in *Inputs) markSlots(slot string) {
	base, _ := cutLast(slot)
	for _, s := range in.Sites {
		if strings.EqualFold(s.Name, base) {
			s.hasSlots = true
		}
	}
}

var terraformTypes = []string{"azurerm_linux_web_app", "azurerm_windows_web_app", "azurerm_linux_function_app", "azurerm_windows_function_app", "azurerm_app_service", "azurerm_function_app"}

func (in *Inputs) terraform(module *value) bool {
	found := false
	for _, resource := range module.get("resources").items {
		kind := strings.TrimSuffix(resource.get("type").text(), "_slot")
		if !slices.Contains(terraformTypes, kind) {
			continue
		}
		found = true
		values := resource.get("values")
		name := values.get("name").text()
		if name == "" {
			name = resource.get("address").text()
		}
		slot := strings.HasSuffix(resource.get("type").text(), "_slot")
		if slot {
			_, base := cutLast(values.get("app_service_id").text())
			name = strings.TrimPrefix(base+"/"+name, "/")
		}
		s := in.named(name, resource)
		s.Terraform, s.slot = true, slot
		if slot {
			in.markSlots(name)
		}
		for theirs, ours := range terraformFields {
			s.set(ours, values.get(theirs), "terraform")
		}
		for _, block := range values.get("site_config").items {
			for theirs, ours := range terraformFields {
				s.set(ours, block.get(theirs), "terraform")
			}
		}
		if settings := values.get("app_settings"); settings.isMap {
			s.allSet = true
			for _, m := range settings.object {
				s.settings[strings.ToUpper(m.name)] = m.value
			}
		}
	}
	for _, child := range module.get("child_modules").items {
		found = in.terraform(child) || found
	}
	return found
}

// merge assigns separate configurations to their sites. A configuration that names its site by an
// expression or not at all belongs to the only site; with several sites it is an error.
func (in *Inputs) merge() error {
	for _, s := range in.loose {
		var target *Site
		for _, site := range in.Sites {
			if s.Name != "" && strings.EqualFold(site.Name, s.Name) {
				target = site
			}
		}
		switch {
		case target != nil:
		case len(in.Sites) == 0:
			in.Sites = append(in.Sites, s)
			continue
		case len(in.Sites) == 1:
			target = in.Sites[0]
		default:
			return fmt.Errorf("%s:%d: this configuration does not name its site, and there are %d; audit one site at a time", s.file, s.line, len(in.Sites))
		}
		for field, v := range s.fields {
			target.set(field, v, s.origins[field])
		}
		for field, v := range s.others {
			target.others[field] = v
		}
		for name, v := range s.settings {
			target.settings[name] = v
		}
		target.allSet = target.allSet || s.allSet
	}
	in.loose = nil
	return nil
}
