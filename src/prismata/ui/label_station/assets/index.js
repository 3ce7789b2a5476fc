export default function (component) { component.parentElement.querySelector(".station").textContent = "hello " + JSON.stringify(component.data); }
