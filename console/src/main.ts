import './style/fonts.css';
import './style/tokens.css';
import './style/app.css';
import { mount } from 'svelte';
import Front from './Front.svelte';

const target = document.getElementById('app');
if (!target) throw new Error('index.html has no element with the id app');

export default mount(Front, { target });
