// Bind the text area to the document named by the address.
(function () {
  var area = document.getElementById("code");
  var state = document.getElementById("state");
  var name = location.pathname.split("/").pop();
  sharejs.open(name, "text", function (error, doc) {
    if (error) {
      state.textContent = "Not connected: " + error;
      return;
    }
    doc.attach_textarea(area);
    area.disabled = false;
    state.textContent = "Everyone at this address edits " + name;
  });
})();
