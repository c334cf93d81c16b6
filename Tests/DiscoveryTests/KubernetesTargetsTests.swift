import Base
import Targets
import TestSupport
import Testing
@testable import Discovery

private let pod = """
  {"metadata":{"name":"cart-1","namespace":"shop","uid":"u1","labels":{"app":"cart"},"annotations":{"pyroscope.io/service_name":"svc"},
    "ownerReferences":[{"kind":"Other","name":"x"},{"kind":"ReplicaSet","name":"cart-abc","controller":true}]},
   "spec":{"nodeName":"node1",
     "containers":[{"name":"main","image":"img:1","ports":[{"name":"http","containerPort":8080,"protocol":"TCP"},{"containerPort":9090}]},
                   {"name":"side","image":"side:1"}],
     "initContainers":[{"name":"begin","image":"init:1"}]},
   "status":{"phase":"Running","podIP":"10.2.0.1","hostIP":"10.1.0.1","conditions":[{"type":"Ready","status":"True"}],
     "containerStatuses":[{"name":"main","containerID":"containerd://abc"}],
     "initContainerStatuses":[{"name":"begin","containerID":"containerd://def"}]}}
  """
private let node = """
  {"metadata":{"name":"node1","labels":{"zone/of":"z"}},"spec":{"providerID":"p://1"},
   "status":{"addresses":[{"type":"Hostname","address":"n1"},{"type":"InternalIP","address":"fd00::1"},{"type":"InternalIP","address":"10.1.0.9"}],
     "conditions":[{"type":"Ready","status":"True"}],"daemonEndpoints":{"kubeletEndpoint":{"Port":10250}}}}
  """
private let namespace = "{\"metadata\":{\"name\":\"shop\",\"labels\":{\"owner\":\"team\"},\"annotations\":{\"a\":\"b\"}}}"

private struct Cluster: ClusterAccess {
  func connect() throws(DiscoveryError) -> ServerAccess { ServerAccess(address: "http://nowhere.invalid") }
}

/// The targets of a role whose cluster has these objects.
private func targets(
  _ role: KubernetesOptions.Role, _ texts: [(KubernetesResource, String)], _ change: (inout KubernetesOptions) -> Void = { _ in }
) throws -> [LabelSet] {
  var options = KubernetesOptions(role, Cluster())
  change(&options)
  var objects: KubernetesTargets.Objects = [:]
  for (resource, text) in texts {
    let value = try JSONReader.read(Array(text.utf8))
    guard let meta = ObjectMeta(value), let object = KubernetesObject(value, meta, of: resource) else { continue }
    objects[resource, default: [:]][meta.key] = object
  }
  return KubernetesTargets(options, objects).make().targets
}

private func meta(_ labels: [String: String]) -> LabelSet {
  LabelSet(Dictionary(labels.map { ($0.key.hasPrefix("_") ? $0.key : "__meta_kubernetes_" + $0.key, $0.value) }) { $1 })
}

@Suite struct KubernetesTargetsTests {
  private let podLabels = [
    "namespace": "shop", "pod_name": "cart-1", "pod_ip": "10.2.0.1", "pod_ready": "true", "pod_phase": "Running",
    "pod_node_name": "node1", "pod_host_ip": "10.1.0.1", "pod_uid": "u1", "pod_controller_kind": "ReplicaSet",
    "pod_controller_name": "cart-abc", "pod_label_app": "cart", "pod_labelpresent_app": "true",
    "pod_annotation_pyroscope_io_service_name": "svc", "pod_annotationpresent_pyroscope_io_service_name": "true",
  ]

  @Test func `a pod gives a target a container and port, with every label`() throws {
    func expected(_ more: [String: String]) -> LabelSet { meta(podLabels.merging(more) { $1 }) }
    let main = [
      "pod_container_name": "main", "pod_container_image": "img:1", "pod_container_id": "containerd://abc", "pod_container_init": "false",
    ]
    #expect(
      try targets(.pod, [(.pods, pod)]) == [
        expected(
          main.merging([
            "__address__": "10.2.0.1:8080", "pod_container_port_name": "http", "pod_container_port_number": "8080",
            "pod_container_port_protocol": "TCP",
          ]) { $1 }),
        expected(main.merging(["__address__": "10.2.0.1:9090", "pod_container_port_number": "9090"]) { $1 }),
        expected([
          "__address__": "10.2.0.1", "pod_container_name": "side", "pod_container_image": "side:1", "pod_container_init": "false",
        ]),
        expected([
          "__address__": "10.2.0.1", "pod_container_name": "begin", "pod_container_image": "init:1", "pod_container_init": "true",
          "pod_container_id": "containerd://def",
        ]),
      ])
  }

  @Test func `a pod without an address gives nothing, one without conditions is not known to be ready`() throws {
    #expect(try targets(.pod, [(.pods, "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"c\"}]}}")]).isEmpty)
    let found = try targets(
      .pod, [(.pods, "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"c\"}]},\"status\":{\"podIP\":\"::1\"}}")])
    #expect(found.map { $0["__meta_kubernetes_pod_ready"] } == ["unknown"] && found.map { $0["__address__"] } == ["::1"])
  }

  @Test func `metadata of nodes and namespaces is attached, and pods on other nodes are left out`() throws {
    let found = try targets(.pod, [(.pods, pod), (.nodes, node), (.namespaces, namespace)]) {
      $0.attachesNode = true
      $0.attachesNamespace = true
    }
    #expect(found.count == 4)
    for target in found {
      #expect(target["__meta_kubernetes_node_name"] == "node1" && target["__meta_kubernetes_node_label_zone_of"] == "z")
      #expect(
        target["__meta_kubernetes_namespace_label_owner"] == "team" && target["__meta_kubernetes_namespace_annotationpresent_a"] == "true")
    }
    #expect(try targets(.pod, [(.pods, pod)]) { $0.attachesNode = true }.isEmpty)
  }

  @Test func `a node has its best address and all of them`() throws {
    #expect(
      try targets(.node, [(.nodes, node)]) == [
        meta([
          "__address__": "[fd00::1]:10250", "node_name": "node1", "node_provider_id": "p://1", "node_condition_ready": "true",
          "node_label_zone_of": "z", "node_labelpresent_zone_of": "true", "node_address_Hostname": "n1",
          "node_address_InternalIP": "fd00::1",
        ]).merging(LabelSet(["instance": "node1"]))
      ])
    #expect(try targets(.node, [(.nodes, "{\"metadata\":{\"name\":\"n\"}}")]).isEmpty)
  }

  @Test func `a service has a target a port, by its type`() throws {
    func service(_ spec: String, _ status: String = "{}") -> String {
      "{\"metadata\":{\"name\":\"cart\",\"namespace\":\"shop\"},\"spec\":{\"ports\":[{\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\"}],\(spec)},\"status\":\(status)}"
    }
    let common = [
      "__address__": "cart.shop.svc:80", "namespace": "shop", "service_name": "cart", "service_port_name": "http",
      "service_port_number": "80",
      "service_port_protocol": "TCP",
    ]
    for (spec, status, own) in [
      ("\"type\":\"ClusterIP\",\"clusterIP\":\"10.0.0.7\"", "{}", ["service_type": "ClusterIP", "service_cluster_ip": "10.0.0.7"]),
      ("\"type\":\"ExternalName\",\"externalName\":\"x.test\"", "{}", ["service_type": "ExternalName", "service_external_name": "x.test"]),
      (
        "\"type\":\"LoadBalancer\",\"clusterIP\":\"10.0.0.7\",\"loadBalancerIP\":\"1.1.1.1\"",
        "{\"loadBalancer\":{\"ingress\":[{\"ip\":\"2.2.2.2\"},{\"hostname\":\"h\"},{\"ip\":\"3.3.3.3\"}]}}",
        ["service_type": "LoadBalancer", "service_cluster_ip": "10.0.0.7", "service_loadbalancer_ip": "2.2.2.2,3.3.3.3"]
      ),
    ] {
      #expect(try targets(.service, [(.services, service(spec, status))]) == [meta(common.merging(own) { $1 })])
    }
  }

  @Test func `an ingress has a target a host and path, secure where its hosts say so`() throws {
    let text = """
      {"metadata":{"name":"front","namespace":"shop"},"spec":{"ingressClassName":"nginx","tls":[{"hosts":["*.shop.test"]}],"rules":[
        {"host":"cart.shop.test","http":{"paths":[{"path":"/cart"},{}]}},{"host":"a.b.shop.test"},{"http":{"paths":[]}}]}}
      """
    let found = try targets(.ingress, [(.ingresses, text)])
    #expect(found.map { $0["__meta_kubernetes_ingress_path"] } == ["/cart", "/", "/"])
    #expect(found.map { $0["__meta_kubernetes_ingress_scheme"] } == ["https", "https", "http"])
    #expect(found.map { $0["__address__"] } == ["cart.shop.test", "cart.shop.test", "a.b.shop.test"])
    #expect(found.allSatisfy { $0["__meta_kubernetes_ingress_class_name"] == "nginx" && $0["__meta_kubernetes_ingress_name"] == "front" })
  }

  private let service =
    "{\"metadata\":{\"name\":\"cart\",\"namespace\":\"shop\",\"labels\":{\"l\":\"s\"}},\"spec\":{\"type\":\"ClusterIP\"}}"

  @Test func `endpoints have their service's and their pods' labels, and the pods' other ports`() throws {
    let endpoints = """
      {"metadata":{"name":"cart","namespace":"shop","labels":{"own":"e"}},"subsets":[{"ports":[{"name":"http","port":8080,"protocol":"TCP"}],
        "addresses":[{"ip":"10.2.0.1","nodeName":"node1","hostname":"h","targetRef":{"kind":"Pod","namespace":"shop","name":"cart-1"}}],
        "notReadyAddresses":[{"ip":"10.9.9.9","targetRef":{"kind":"Node","name":"node1"}}]}]}
      """
    let found = try targets(.endpoints, [(.endpoints, endpoints), (.services, service), (.pods, pod), (.nodes, node)]) {
      $0.attachesNode = true
    }
    #expect(found.map { $0["__address__"] } == ["10.2.0.1:8080", "10.9.9.9:8080", "10.2.0.1:9090"])
    #expect(found.map { $0["__meta_kubernetes_endpoint_ready"] } == ["true", "false", nil])
    #expect(found.map { $0["__meta_kubernetes_pod_container_name"] } == ["main", nil, "main"])
    #expect(found.map { $0["__meta_kubernetes_endpoint_address_target_kind"] } == ["Pod", "Node", nil])
    #expect(found.map { $0["__meta_kubernetes_node_name"] } == ["node1", "node1", nil])
    #expect(
      found.allSatisfy {
        $0["__meta_kubernetes_service_label_l"] == "s" && $0["__meta_kubernetes_endpoints_label_own"] == "e"
          && $0["__meta_kubernetes_service_name"] == "cart" && $0["__meta_kubernetes_endpoints_name"] == "cart"
      })
  }

  @Test func `slices have conditions and topology, and of two families the service's first counts`() throws {
    func slice(_ type: String) -> String {
      """
      {"metadata":{"name":"cart-\(type)","namespace":"shop","labels":{"kubernetes.io/service-name":"cart"}},"addressType":"\(type)",
       "ports":[{"name":"http","port":8080,"protocol":"TCP","appProtocol":"h2"}],
       "endpoints":[{"addresses":["10.2.0.1"],"conditions":{"ready":true,"terminating":false},"topology":{"kubernetes.io/hostname":"node1"},
         "nodeName":"node1","zone":"z","targetRef":{"kind":"Pod","namespace":"shop","name":"cart-1"}}]}
      """
    }
    let found = try targets(.endpointslice, [(.endpointslices, slice("IPv4")), (.services, service), (.pods, pod)])
    #expect(found.map { $0["__address__"] } == ["10.2.0.1:8080", "10.2.0.1:9090"])
    let first = try #require(found.first)
    for (name, value) in [
      ("endpointslice_endpoint_conditions_ready", "true"), ("endpointslice_endpoint_conditions_terminating", "false"),
      ("endpointslice_endpoint_zone", "z"),
      ("endpointslice_endpoint_topology_kubernetes_io_hostname", "node1"),
      ("endpointslice_endpoint_topology_present_kubernetes_io_hostname", "true"),
      ("endpointslice_endpoint_node_name", "node1"), ("endpointslice_port_app_protocol", "h2"), ("endpointslice_port", "8080"),
      ("endpointslice_name", "cart-IPv4"), ("pod_container_port_name", "http"), ("service_name", "cart"), ("pod_name", "cart-1"),
    ] {
      #expect(first["__meta_kubernetes_" + name] == value, "\(name)")
    }
    #expect(first["__meta_kubernetes_endpointslice_endpoint_conditions_serving"] == nil)
    let two = service.replacing(
      "\"ClusterIP\"", with: "\"ClusterIP\",\"ipFamilyPolicy\":\"PreferDualStack\",\"ipFamilies\":[\"IPv6\",\"IPv4\"]")
    let primary = try targets(.endpointslice, [(.endpointslices, slice("IPv4")), (.endpointslices, slice("IPv6")), (.services, two)])
    #expect(primary.map { $0["__meta_kubernetes_endpointslice_name"] } == ["cart-IPv6"])
  }

  @Test(arguments: KubernetesResource.allCases) func `an object with anything else where something should be is no crash`(
    resource: KubernetesResource
  ) throws {
    let whole = [pod, node, service].joined(separator: " ")
    let words = ["null", "7", "\"x\"", "[]", "{}", "[[{}]]", "-1", "1e400"]
    for (index, key) in Set(whole.split { !$0.isLetter }.map(String.init)).sorted().enumerated() {
      let text =
        "{\"metadata\":{\"name\":\"x\",\"namespace\":\"y\",\"\(key)\":\(words[index % 8])},\"spec\":{\"\(key)\":\(words[(index + 3) % 8])},\"status\":{\"\(key)\":\(words[(index + 5) % 8])},\"subsets\":\(words[index % 5]),\"endpoints\":\(words[(index + 1) % 6]),\"ports\":\(words[(index + 2) % 6])}"
      guard let value = try? JSONReader.read(Array(text.utf8)) else { continue }
      let meta = try #require(ObjectMeta(value))
      #expect(KubernetesObject(value, meta, of: resource) != nil)
    }
  }
}
